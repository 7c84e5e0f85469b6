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

/** The ring's bytes, read and written by hand as VIRTIO 1.3, 2.7 has them. */
class SplitDriverQueueTest {
    private static final int SIZE = 8;
    private static final int EVENT_IDX = FeatureBits.VIRTIO_F_EVENT_IDX;
    private static final int IN_ORDER = FeatureBits.VIRTIO_F_IN_ORDER;
    private static final int INDIRECT = FeatureBits.VIRTIO_F_INDIRECT_DESC;
    private static final int USED_EVENT = 4 + 2 * SIZE;
    private static final int AVAIL_EVENT = 4 + 8 * SIZE;

    private final DriverChain chain = new DriverChain();
    private final List<String> used = new ArrayList<>();
    private GuestMemory memory;
    private DriverQueue queue;
    private MemorySegment table;
    private MemorySegment available;
    private MemorySegment usedRing;
    private int usedIndex;

    @BeforeEach
    void allocate() throws Exception {
        memory = GuestMemory.ofSize(1 << 20);
    }

    @AfterEach
    void free() {
        memory.close();
    }

    private void queue(int... features) {
        queue = DriverQueue.create(memory, SIZE, 4, Features.of(features));
        table = queue.memory().descriptorArea().memory();
        available = queue.memory().driverArea().memory();
        usedRing = queue.memory().deviceArea().memory();
    }

    private static String descriptor(MemorySegment table, int index) {
        return "0x%x+%d flags %d next %d"
                .formatted(
                        table.get(ValueLayout.JAVA_LONG, index * 16L),
                        table.get(ValueLayout.JAVA_INT, index * 16L + 8),
                        u16(table, index * 16 + 12),
                        u16(table, index * 16 + 14));
    }

    private static int u16(MemorySegment segment, int at) {
        return segment.get(ValueLayout.JAVA_SHORT, at) & 0xffff;
    }

    private static void put(MemorySegment segment, int at, int value) {
        segment.set(ValueLayout.JAVA_SHORT, at, (short) value);
    }

    /** As the device: one entry, and the index {@code batch} further. */
    private void use(int id, int written, int batch) {
        int entry = 4 + 8 * (usedIndex % SIZE);
        usedRing.set(ValueLayout.JAVA_INT, entry, id);
        usedRing.set(ValueLayout.JAVA_INT, entry + 4, written);
        usedIndex += batch;
        put(usedRing, 2, usedIndex);
    }

    private int reap() {
        return queue.reap((token, written) -> used.add(token + ":" + written), 100);
    }

    private void addOne(long token) {
        assertThat(queue.add(chain.clear().readable(0x1000, 1).writable(0x2000, 7), token))
                .isTrue();
    }

    @Test
    void describesAChain() {
        queue();
        chain.readable(0x1_0000_1000L, 16).writable(0x2000, 0xffff_ffffL).writable(0x3000, 1);
        assertThat(queue.add(chain, 5)).isTrue();
        assertThat(u16(available, 2)).as("idx before publishing").isZero();
        assertThat(queue.publish()).isTrue();
        assertThat(u16(available, 2)).isOne();
        int head = u16(available, 4);
        assertThat(descriptor(table, head)).isEqualTo("0x100001000+16 flags 1 next 1");
        assertThat(descriptor(table, 1)).isEqualTo("0x2000+-1 flags 3 next 2");
        assertThat(descriptor(table, 2)).startsWith("0x3000+1 flags 2");
        assertThat(queue.free()).isEqualTo(SIZE - 3);
    }

    @Test
    void putsElementsIntoATable() {
        queue(INDIRECT);
        chain.readable(0x1000, 16).readable(0x2000, 8).writable(0x3000, 4).indirectFrom(1);
        assertThat(queue.add(chain, 5)).isTrue();
        assertThat(descriptor(table, 0)).isEqualTo("0x1000+16 flags 1 next 1");
        long address = queue.memory().indirectTables().address() + 4 * 16;
        assertThat(descriptor(table, 1)).isEqualTo("0x%x+32 flags 4 next 0".formatted(address));
        MemorySegment entries = memory.at(address, 32).memory();
        assertThat(descriptor(entries, 0)).isEqualTo("0x2000+8 flags 1 next 1");
        assertThat(descriptor(entries, 1)).isEqualTo("0x3000+4 flags 2 next 0");
        assertThat(queue.free()).isEqualTo(SIZE - 2);
    }

    @Test
    void takesAnyFreeDescriptors() {
        queue();
        for (int i = 0; i < 4; i++) {
            addOne(i);
        }
        assertThat(queue.add(chain, 9)).isFalse();
        queue.publish();
        use(4, 7, 1);
        use(0, 3, 1);
        assertThat(reap()).isEqualTo(2);
        assertThat(used).containsExactly("2:7", "0:3");
        chain.clear().readable(1, 1).readable(2, 1).readable(3, 1).readable(4, 1);
        assertThat(queue.add(chain, 4)).isTrue();
        queue.publish();
        assertThat(u16(available, 4 + 2 * 4)).isIn(0, 4);
        assertThat(queue.free()).isZero();
    }

    @Test
    void takesDescriptorsInRingOrderInOrder() {
        queue(IN_ORDER);
        for (int round = 0; round < 5; round++) {
            chain.clear().readable(1, 1).readable(2, 1).readable(3, 1);
            assertThat(queue.add(chain, round)).isTrue();
            queue.publish();
            int head = round * 3 % SIZE;
            assertThat(u16(available, 4 + 2 * round)).isEqualTo(head);
            int next = (head + 1) % SIZE;
            assertThat(descriptor(table, head)).endsWith("flags 1 next " + next);
            use(head, 0, 1);
            assertThat(reap()).isOne();
        }
    }

    @Test
    void reportsWhatAnInOrderDeviceSkipped() {
        queue(IN_ORDER);
        addOne(10);
        addOne(11);
        addOne(12);
        addOne(13);
        queue.publish();
        use(4, 1, 3);
        assertThat(reap()).isEqualTo(3);
        assertThat(used).containsExactly("10:7", "11:7", "12:1");
        use(6, 2, 1);
        assertThat(reap()).isOne();
        assertThat(used).endsWith("13:2");
        assertThat(queue.free()).isEqualTo(SIZE);
    }

    @Test
    void notifiesUnlessTheFlagSaysNo() {
        queue();
        put(usedRing, AVAIL_EVENT, 77);
        addOne(0);
        assertThat(queue.publish()).isTrue();
        assertThat(queue.publish()).as("nothing added").isFalse();
        put(usedRing, 0, 1);
        addOne(1);
        assertThat(queue.publish()).isFalse();
    }

    @Test
    void notifiesWhenTheEventIsAmongTheAdded() {
        queue(EVENT_IDX);
        put(usedRing, 0, 1); // Of no meaning: 2.7.10.1.
        for (int start = 0; start < 70_000; start += 3) {
            int distance = start / 3 % 7 - 2;
            put(usedRing, AVAIL_EVENT, start + distance);
            for (int i = 0; i < 3; i++) {
                addOne(i);
            }
            assertThat(queue.publish())
                    .as("3 from %d, event %d", start, start + distance)
                    .isEqualTo(distance >= 0 && distance < 3);
            for (int i = 0; i < 3; i++) {
                use(u16(available, 4 + 2 * ((start + i) % SIZE)), 0, 1);
            }
            assertThat(reap()).isEqualTo(3);
        }
    }

    @Test
    void asksForNotificationsByFlag() {
        queue();
        queue.disarm();
        assertThat(u16(available, 0)).isOne();
        assertThat(queue.arm()).isFalse();
        assertThat(u16(available, 0)).isZero();
        addOne(0);
        queue.publish();
        use(0, 0, 1);
        assertThat(queue.arm()).isTrue();
    }

    @Test
    void asksForNotificationsByEvent() {
        queue(EVENT_IDX);
        addOne(0);
        queue.publish();
        use(0, 0, 1);
        reap();
        assertThat(queue.arm()).isFalse();
        assertThat(u16(available, USED_EVENT)).isOne();
        queue.disarm();
        assertThat(u16(available, USED_EVENT)).isZero();
        assertThat(u16(available, 0)).as("flags stay 0").isZero();
    }

    @Test
    void catchesADeviceThatUsesWhatItWasNotGiven() {
        queue();
        addOne(0);
        queue.publish();
        addOne(1);
        use(0, 0, 2);
        assertThatThrownBy(this::reap)
                .isInstanceOf(DeviceViolationException.class)
                .hasMessageContaining("2 ahead");
        usedIndex = 0;
        use(8, 0, 1);
        assertThatThrownBy(this::reap).hasMessageContaining("used id 8");
        usedIndex = 0;
        use(1, 0, 1);
        assertThatThrownBy(this::reap).hasMessageContaining("used id 1");
        usedIndex = 0;
        use(-1, 0, 1);
        assertThatThrownBy(this::reap).hasMessageContaining("used id 4294967295");
    }

    @Test
    void refusesWhatTheSpecificationForbids() {
        queue();
        assertThatThrownBy(() -> chain.writable(1, 1).readable(2, 1))
                .isInstanceOf(IllegalStateException.class);
        chain.clear();
        assertThatThrownBy(() -> chain.readable(1, 0)).hasMessageContaining("not 0");
        assertThatThrownBy(() -> chain.readable(1, 1L << 32)).hasMessageContaining("4294967296");
        assertThatThrownBy(() -> queue.add(chain, 0)).hasMessageContaining("not 0");
        for (int i = 0; i <= SIZE; i++) {
            chain.readable(1, 1);
        }
        assertThatThrownBy(() -> queue.add(chain, 0)).hasMessageContaining("1 to 8 elements");
        chain.clear().readable(1, 1).indirectFrom(0);
        assertThatThrownBy(() -> queue.add(chain, 0)).hasMessageContaining("at most 0");
        assertThatThrownBy(() -> DriverQueue.create(memory, 12, 0, Features.NONE))
                .hasMessageContaining("not 12");
    }
}
