package org.anyvirt.driver.queue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The ring's bytes, read and written by hand as VIRTIO 1.3, 2.8 has them. */
class PackedDriverQueueTest {
    private static final int SIZE = 5;
    private static final int AVAIL = 1 << 7;
    private static final int USED = 1 << 15;
    private static final int WRITE = 2;
    private static final int ENABLE = 0;
    private static final int DISABLE = 1;
    private static final int DESC = 2;
    private static final int EVENT_IDX = FeatureBits.VIRTIO_F_EVENT_IDX;
    private static final int IN_ORDER = FeatureBits.VIRTIO_F_IN_ORDER;
    private static final int INDIRECT = FeatureBits.VIRTIO_F_INDIRECT_DESC;

    private final DriverChain chain = new DriverChain();
    private final List<String> used = new ArrayList<>();
    private GuestMemory memory;
    private DriverQueue queue;
    private MemorySegment ring;
    private MemorySegment driverEvent;
    private MemorySegment deviceEvent;
    private int at;
    private boolean wrap = true;

    @BeforeEach
    void allocate() throws Exception {
        memory = GuestMemory.ofSize(1 << 20);
    }

    @AfterEach
    void free() {
        memory.close();
    }

    private void queue(int... features) {
        queue =
                DriverQueue.create(
                        memory,
                        SIZE,
                        4,
                        Features.of(features).with(FeatureBits.VIRTIO_F_RING_PACKED));
        ring = queue.memory().descriptorArea().memory();
        driverEvent = queue.memory().driverArea().memory();
        deviceEvent = queue.memory().deviceArea().memory();
    }

    private static String descriptor(MemorySegment table, int index) {
        return "0x%x+%d flags 0x%x"
                .formatted(
                        table.get(ValueLayout.JAVA_LONG, index * 16L),
                        table.get(ValueLayout.JAVA_INT, index * 16L + 8),
                        u16(table, index * 16 + 14));
    }

    private int id(int index) {
        return u16(ring, index * 16 + 12);
    }

    private int flags(int index) {
        return u16(ring, index * 16 + 14);
    }

    private static int u16(MemorySegment segment, int at) {
        return segment.get(ValueLayout.JAVA_SHORT, at) & 0xffff;
    }

    private static void put(MemorySegment segment, int at, int value) {
        segment.set(ValueLayout.JAVA_SHORT, at, (short) value);
    }

    /** As the device: one used descriptor, and on by {@code descriptors}. */
    private void use(int id, int written, int flags, int descriptors) {
        ring.set(ValueLayout.JAVA_INT, at * 16 + 8, written);
        put(ring, at * 16 + 12, id);
        put(ring, at * 16 + 14, flags | (wrap ? AVAIL | USED : 0));
        at += descriptors;
        if (at >= SIZE) {
            at -= SIZE;
            wrap = !wrap;
        }
    }

    private int reap() {
        return queue.reap((token, written) -> used.add(token + ":" + written), 100);
    }

    private void add(int elements, long token) {
        chain.clear().readable(0x1000, 1);
        for (int i = 1; i < elements; i++) {
            chain.writable(0x2000, 7);
        }
        assertThat(queue.add(chain, token)).isTrue();
    }

    private void event(int flags, int offset, boolean wrapCounter) {
        put(deviceEvent, 0, offset | (wrapCounter ? 1 << 15 : 0));
        put(deviceEvent, 2, flags);
    }

    @Test
    void describesAList() {
        queue();
        chain.readable(0x1_0000_1000L, 16).writable(0x2000, 8).writable(0x3000, 1);
        assertThat(queue.add(chain, 5)).isTrue();
        assertThat(flags(0)).as("the first is made available last").isZero();
        assertThat(queue.publish()).isTrue();
        assertThat(descriptor(ring, 0)).isEqualTo("0x100001000+16 flags 0x81");
        assertThat(descriptor(ring, 1)).isEqualTo("0x2000+8 flags 0x83");
        assertThat(descriptor(ring, 2)).isEqualTo("0x3000+1 flags 0x82");
        use(id(2), 9, WRITE, 3);
        assertThat(reap()).isOne();
        assertThat(used).containsExactly("5:9");
    }

    @Test
    void wrapsInTheMiddleOfAList() {
        queue();
        add(3, 1);
        queue.publish();
        use(id(2), 9, WRITE, 3);
        assertThat(reap()).isOne();
        add(4, 2);
        queue.publish();
        assertThat(flags(3)).isEqualTo(AVAIL | 1);
        assertThat(flags(4)).isEqualTo(AVAIL | 1 | WRITE);
        assertThat(flags(0)).isEqualTo(USED | 1 | WRITE);
        assertThat(flags(1)).isEqualTo(USED | WRITE);
        assertThat(reap()).isZero();
        use(id(1), 3, 0, 4);
        assertThat(reap()).isOne();
        assertThat(used).containsExactly("1:9", "2:0"); // Without WRITE the length is reserved.
        add(1, 3);
        queue.publish();
        assertThat(flags(2)).isEqualTo(USED);
        assertThat(queue.free()).isEqualTo(SIZE - 1);
    }

    @Test
    void putsElementsIntoATable() {
        queue(INDIRECT);
        chain.readable(0x1000, 16).readable(0x2000, 8).writable(0x3000, 4).indirectFrom(0);
        assertThat(queue.add(chain, 5)).isTrue();
        queue.publish();
        long address = queue.memory().indirectTables().address() + id(0) * 4L * 16;
        assertThat(descriptor(ring, 0)).isEqualTo("0x%x+48 flags 0x84".formatted(address));
        MemorySegment entries = memory.at(address, 48).memory();
        assertThat(descriptor(entries, 0)).isEqualTo("0x1000+16 flags 0x0");
        assertThat(descriptor(entries, 1)).isEqualTo("0x2000+8 flags 0x0");
        assertThat(descriptor(entries, 2)).isEqualTo("0x3000+4 flags 0x2");
    }

    @Test
    void idsComeBackInAnyOrder() {
        queue();
        add(1, 1);
        add(2, 2);
        add(2, 3);
        assertThat(queue.add(chain, 9)).isFalse();
        queue.publish();
        int first = id(0);
        int second = id(2);
        int third = id(4);
        use(third, 0, 0, 2);
        use(first, 0, 0, 1);
        assertThat(reap()).isEqualTo(2);
        assertThat(queue.free()).isEqualTo(3);
        use(second, 0, 0, 2);
        assertThat(reap()).isOne();
        assertThat(used).containsExactly("3:0", "1:0", "2:0");
    }

    @Test
    void reportsWhatAnInOrderDeviceSkipped() {
        queue(IN_ORDER);
        add(1, 10);
        add(2, 11);
        add(2, 12);
        queue.publish();
        use(id(2), 1, WRITE, 3);
        assertThat(reap()).isEqualTo(2);
        assertThat(used).containsExactly("10:0", "11:1");
        add(3, 13);
        queue.publish();
        int last = id(2);
        use(last, 5, WRITE, 5);
        assertThat(reap()).isEqualTo(2);
        assertThat(used).endsWith("12:7", "13:5");
        assertThat(queue.free()).isEqualTo(SIZE);
    }

    @Test
    void notifiesUnlessEventsAreDisabled() {
        queue();
        event(ENABLE, 0, false);
        add(1, 0);
        assertThat(queue.publish()).isTrue();
        assertThat(queue.publish()).as("nothing added").isFalse();
        event(DISABLE, 0, false);
        add(1, 1);
        assertThat(queue.publish()).isFalse();
    }

    @Test
    void notifiesWhenTheEventIsAmongTheAdded() {
        queue(EVENT_IDX);
        for (int start = 0; start < 40; start += 2) {
            // Two descriptors from start on; offset and wrap counter name one of ten places.
            for (int distance = -3; distance < 7; distance++) {
                int place = Math.floorMod(start + distance, 2 * SIZE);
                event(DESC, place % SIZE, place < SIZE);
                if (distance == start / 2 % 10 - 3) {
                    add(2, start);
                    assertThat(queue.publish())
                            .as("2 from %d, event %d", start, start + distance)
                            .isEqualTo(distance == 0 || distance == 1);
                    use(id((start + 1) % SIZE), 0, 0, 2);
                    assertThat(reap()).isOne();
                }
            }
        }
    }

    @Test
    void asksForNotifications() {
        queue();
        queue.disarm();
        assertThat(u16(driverEvent, 2)).isEqualTo(DISABLE);
        assertThat(queue.arm()).isFalse();
        assertThat(u16(driverEvent, 2)).isEqualTo(ENABLE);
        add(1, 0);
        queue.publish();
        use(id(0), 0, 0, 1);
        assertThat(queue.arm()).isTrue();
    }

    @Test
    void asksForNotificationsByEvent() {
        queue(EVENT_IDX);
        for (int round = 0; round < 12; round++) {
            assertThat(queue.arm()).isFalse();
            int place = round % (2 * SIZE);
            assertThat(u16(driverEvent, 0)).isEqualTo(place % SIZE | (place < SIZE ? 1 << 15 : 0));
            assertThat(u16(driverEvent, 2)).isEqualTo(DESC);
            add(1, round);
            queue.publish();
            use(id(round % SIZE), 0, 0, 1);
            assertThat(reap()).isOne();
        }
    }

    @Test
    void catchesADeviceThatUsesWhatItWasNotGiven() {
        queue();
        add(1, 0);
        queue.publish();
        int given = id(0);
        use(SIZE, 0, 0, 1);
        assertThatThrownBy(this::reap)
                .isInstanceOf(DeviceViolationException.class)
                .hasMessageContaining("used buffer id 5");
        put(ring, 12, (given + 1) % SIZE);
        assertThatThrownBy(this::reap).hasMessageContaining("is not outstanding");
        put(ring, 12, given);
        assertThat(reap()).isOne();
    }

    @Test
    void refusesWhatTheSpecificationForbids() {
        queue(INDIRECT);
        chain.readable(1, 1).readable(2, 1).indirectFrom(1);
        assertThatThrownBy(() -> queue.add(chain, 0)).hasMessageContaining("2.8.5");
        chain.clear();
        for (int i = 0; i <= SIZE; i++) {
            chain.readable(1, 1);
        }
        assertThatThrownBy(() -> queue.add(chain, 0)).hasMessageContaining("1 to 5 elements");
        assertThatThrownBy(() ->
                        DriverQueue.create(
                                memory, 32769, 0, Features.of(FeatureBits.VIRTIO_F_RING_PACKED)))
                .hasMessageContaining("not 32769");
    }
}
