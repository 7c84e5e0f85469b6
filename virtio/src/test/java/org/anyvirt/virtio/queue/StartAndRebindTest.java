package org.anyvirt.virtio.queue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.anyvirt.virtio.memory.MemoryRegion;
import org.anyvirt.virtio.memory.RegionTable;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.raw.Element;
import org.anyvirt.virtio.raw.GuestMemory;
import org.anyvirt.virtio.raw.RawPackedRing;
import org.anyvirt.virtio.raw.RawRing;
import org.anyvirt.virtio.raw.RawSplitRing;
import org.anyvirt.virtio.raw.Used;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Where a queue starts, and how it goes on when the memory changes. */
class StartAndRebindTest {
    private final GuestMemory guest = new GuestMemory(1 << 20);
    private final long data = guest.allocate(4096, 16);
    private final Chain[] chains = new Chain[8];

    @ParameterizedTest
    @ValueSource(ints = {0, -1, 3, 6, 65536})
    void splitSizesArePowersOfTwo(int size) {
        assertThatThrownBy(() -> create(false, layout(size, 0, 0, 0), QueuePosition.SPLIT_START))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("not " + size);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, 32769})
    void packedSizesAreUpTo32768(int size) {
        assertThatThrownBy(() -> create(true, layout(size, 0, 0, 0), QueuePosition.PACKED_START))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("not " + size);
    }

    @ParameterizedTest
    @CsvSource({"false, 1", "false, 32768", "true, 1", "true, 3", "true, 32768"})
    void servesQueuesOfEverySize(boolean packed, int size) throws Exception {
        GuestMemory large = new GuestMemory(1 << 20);
        RawRing ring = RawRing.create(packed, large, size);
        DeviceVirtqueue queue = ring.device();
        long buffer = large.allocate(16, 16);
        for (int i = 0; i < 3 * size + 2; i++) {
            int id = ring.offer(Element.writable(buffer, 16));
            assertThat(queue.take(chains, 8)).isEqualTo(1);
            queue.complete(chains[0], 1);
            queue.flush();
            assertThat(ring.poll()).isEqualTo(new Used(id, 1));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "false, 8, 0, 0, 16",
        "false, 0, 1, 0, 2",
        "false, 0, 0, 2, 4",
        "true, 8, 0, 0, 16",
        "true, 0, 2, 0, 4",
        "true, 0, 0, 2, 4"
    })
    void refusesPartsThatAreNotAligned(
            boolean packed, int descriptors, int driver, int device, int alignment) {
        QueueLayout layout =
                layout(8, data + descriptors, data + 1024 + driver, data + 2048 + device);

        assertThatThrownBy(() -> create(packed, layout, start(packed)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageEndingWith("is not aligned to %d bytes".formatted(alignment));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void refusesPartsThatAreNotShared(boolean packed) {
        for (QueueLayout layout :
                List.of(
                        layout(8, 0, data, data + 1024),
                        layout(8, data, 0, data + 1024),
                        layout(8, data, data + 1024, 0))) {
            assertThatThrownBy(() -> create(packed, layout, start(packed)))
                    .isInstanceOf(UnmappedRangeException.class)
                    .hasMessageStartingWith("[0x0, ");
        }
    }

    @Test
    void refusesPartsThatAreMappedWithoutTheirAlignment() {
        MemorySegment odd = Arena.ofAuto().allocate(8192, 16).asSlice(1);
        guest.bus().replace(RegionTable.of(new MemoryRegion(GuestMemory.BASE, 4096, odd)));

        assertThatThrownBy(() ->
                        create(
                                false,
                                layout(
                                        8,
                                        GuestMemory.BASE,
                                        GuestMemory.BASE + 1024,
                                        GuestMemory.BASE + 2048),
                                QueuePosition.SPLIT_START))
                .isInstanceOf(UnmappedRangeException.class)
                .hasMessageContaining("not aligned to 16 bytes");
    }

    @ParameterizedTest
    @CsvSource({"-1, 0", "65536, 0", "0, 65536", "0, -1", "9, 0", "0, 1", "0, 65527"})
    void refusesPositionsThatASplitRingCannotHave(int available, int used) {
        assertThatThrownBy(() ->
                        create(
                                false,
                                new RawSplitRing(guest, 8).layout(),
                                new QueuePosition(available, used)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("in a split virtqueue of 8");
    }

    @ParameterizedTest
    @CsvSource({
        "-1, 0x8000",
        "0x10000, 0x8000",
        "0x8006, 0x8000",
        "0x8000, 0x8006",
        "0x8000, 0x8001",
        "0x0001, 0x8000"
    })
    void refusesPositionsThatAPackedRingCannotHave(String available, String used) {
        QueuePosition position = new QueuePosition(Integer.decode(available), Integer.decode(used));
        assertThatThrownBy(() -> create(true, new RawPackedRing(guest, 6).layout(), position))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("in a packed virtqueue of 6");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 65534, 65535})
    void resumesASplitRingAnywhere(int first) throws Exception {
        RawSplitRing ring = new RawSplitRing(guest, 8, first);
        serve(ring, ring.device(), 20);
        DeviceVirtqueue next = ring.device();
        assertThat(next.position())
                .isEqualTo(new QueuePosition(first + 20 & 0xffff, first + 20 & 0xffff));
        serve(ring, next, 20);
    }

    @ParameterizedTest
    @CsvSource({"5, true", "5, false", "0, false", "3, true"})
    void resumesAPackedRingAnywhere(int offset, boolean wrap) throws Exception {
        RawPackedRing ring = new RawPackedRing(guest, 6);
        ring.startAt(offset, wrap);
        DeviceVirtqueue queue = ring.device();
        serve(ring, queue, 21);
        assertThat(queue.position()).isEqualTo(ring.start());
        serve(ring, ring.device(), 21);
    }

    private void serve(RawRing ring, DeviceVirtqueue queue, int count) throws Exception {
        for (int i = 0; i < count; i++) {
            int id = ring.offer(Element.writable(data, 16));
            assertThat(queue.take(chains, 8)).isEqualTo(1);
            queue.complete(chains[0], 3);
            queue.flush();
            assertThat(ring.poll()).isEqualTo(new Used(id, 3));
        }
    }

    private static QueueLayout layout(int size, long descriptors, long driver, long device) {
        return new QueueLayout(size, descriptors, driver, device);
    }

    private static QueuePosition start(boolean packed) {
        return packed ? QueuePosition.PACKED_START : QueuePosition.SPLIT_START;
    }

    private DeviceVirtqueue create(boolean packed, QueueLayout layout, QueuePosition position)
            throws UnmappedRangeException {
        Features accepted = packed ? Features.of(FeatureBits.VIRTIO_F_RING_PACKED) : Features.NONE;
        return Virtqueues.create(0, layout, position, accepted, guest.bus(), () -> {});
    }

    @Nested
    @ParameterizedClass(name = "packed: {0}")
    @ValueSource(booleans = {false, true})
    class WhenTheMemoryChanges {
        @Parameter boolean packed;
        private final List<String> released = new ArrayList<>();
        private RawRing ring;
        private DeviceVirtqueue queue;

        @BeforeEach
        void start() throws UnmappedRangeException {
            ring = RawRing.create(packed, guest, 8);
            queue = ring.device();
        }

        @Test
        void releasesAtOnceWhenNothingIsInFlight() throws Exception {
            queue.rebind(() -> released.add("a"));

            assertThat(released).containsExactly("a");
        }

        @Test
        void releasesWithTheLastChainTakenBefore() throws Exception {
            Chain first = take();
            Chain second = take();
            queue.rebind(() -> released.add("a"));
            Chain third = take();

            queue.complete(third, 0);
            queue.complete(first, 0);
            assertThat(released).isEmpty();
            queue.completeFrom(second.token(), 0);
            assertThat(released).as("handed over only").isEmpty();
            queue.reapHandedOver();
            assertThat(released).containsExactly("a");
        }

        @Test
        void keepsSeveralChangesApart() throws Exception {
            Chain first = take();
            queue.rebind(() -> released.add("a"));
            Chain second = take();
            queue.rebind(() -> released.add("b"));
            queue.rebind(() -> released.add("c"));
            Chain third = take();

            queue.complete(second, 0);
            assertThat(released).isEmpty();
            queue.complete(first, 0);
            assertThat(released).containsExactly("a", "b", "c");
            queue.complete(third, 0);
            queue.rebind(() -> released.add("d"));
            assertThat(released).containsExactly("a", "b", "c", "d");
        }

        @Test
        void releasesWhenTheQueueIsClosedMeanwhile() throws Exception {
            take();
            queue.rebind(() -> released.add("a"));
            take();
            queue.rebind(() -> released.add("b"));

            queue.close();

            assertThat(released).containsExactly("a", "b");
        }

        @Test
        void goesOnInTheMemoryThatTookTheOldOnesPlace() throws Exception {
            Chain before = take();
            MemorySegment moved = Arena.ofAuto().allocate(1 << 20, 4096).copyFrom(guest.memory());
            MemorySegment old = guest.memory();
            guest.bus().replace(RegionTable.of(new MemoryRegion(GuestMemory.BASE, 1 << 20, moved)));
            queue.rebind(() -> released.add("a"));

            assertThat(before.writable().memory(0)).isSameAs(old);
            old.fill((byte) -1);
            queue.complete(before, 4);
            queue.flush();
            assertThat(released).containsExactly("a");
            old.copyFrom(moved);
            assertThat(ring.poll()).isEqualTo(new Used(before.head(), 4));
        }

        @Test
        void touchesNoRingWhenItIsGoneButEndsWhatIsInFlight() throws Exception {
            Chain before = take();
            long used = ring.layout().deviceArea() - GuestMemory.BASE;
            guest.bus().replace(RegionTable.EMPTY);

            assertThatThrownBy(() -> queue.rebind(() -> released.add("a")))
                    .isInstanceOf(UnmappedRangeException.class);
            assertThat(released).isEmpty();
            byte[] as = guest.memory().toArray(ValueLayout.JAVA_BYTE);

            queue.complete(before, 4);
            queue.flush();
            queue.arm();
            queue.disarm();

            assertThat(released).containsExactly("a");
            assertThat(guest.memory().toArray(ValueLayout.JAVA_BYTE))
                    .as("nothing written, used ring at %d", used)
                    .isEqualTo(as);
        }

        private Chain take() throws MalformedChainException {
            ring.offer(Element.writable(data, 16));
            assertThat(queue.take(chains, 1)).isEqualTo(1);
            return chains[0];
        }
    }
}
