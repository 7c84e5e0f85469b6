package org.anyvirt.virtio.queue;

import static org.anyvirt.virtio.raw.RawRing.INDIRECT;
import static org.anyvirt.virtio.raw.RawRing.WRITE;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import org.anyvirt.virtio.memory.Access;
import org.anyvirt.virtio.memory.Buffers;
import org.anyvirt.virtio.memory.BusMemory;
import org.anyvirt.virtio.memory.Resolution;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.raw.Element;
import org.anyvirt.virtio.raw.GuestMemory;
import org.anyvirt.virtio.raw.RawPackedRing;
import org.anyvirt.virtio.raw.RawRing;
import org.anyvirt.virtio.raw.RawSplitRing;
import org.anyvirt.virtio.spec.FeatureBits;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A driver that changes a descriptor after the device has read it: what was read first counts.
 *
 * <p>The change is made while the device resolves the descriptor's buffer, so that the test needs
 * no race: any later read of the descriptor finds other values.
 */
class MovingDescriptorTest {
    private static final int SIZE = 4;

    private final GuestMemory guest = new GuestMemory(1 << 20);
    private final long data = guest.allocate(4096, 16);
    private final Chain[] chains = new Chain[1];

    @ParameterizedTest(name = "packed: {0}, in a table: {1}")
    @CsvSource({"false, false", "false, true", "true, false", "true, true"})
    void usesWhatItReadBeforeTheDriverChangedIt(boolean packed, boolean inTable) throws Exception {
        RawRing ring = RawRing.create(packed, guest, SIZE);
        long table = guest.allocate(16, 16);
        MemorySegment moving = guest.at(inTable ? table : ring.layout().descriptorArea(), 16);
        int[] moved = {0};
        BusMemory memory =
                new WhileResolving(
                        guest.bus(),
                        data,
                        () -> {
                            moved[0]++;
                            moving.fill((byte) -1);
                        });
        DeviceVirtqueue queue =
                Virtqueues.create(
                        0,
                        ring.layout(),
                        ring.start(),
                        ring.features(FeatureBits.VIRTIO_F_INDIRECT_DESC),
                        memory,
                        () -> {});
        ring.tableEntry(guest.at(table, 16), 0, Element.writable(data, 16), false);
        offer(ring, inTable ? table : data, inTable ? INDIRECT : WRITE);

        assertThat(queue.take(chains, 1)).isEqualTo(1);

        assertThat(moved[0]).as("the descriptor has changed meanwhile").isEqualTo(1);
        assertThat(chains[0].head()).isZero();
        assertThat(chains[0].readable().fragments()).isZero();
        assertThat(chains[0].writable().fragments()).isEqualTo(1);
        assertThat(chains[0].writable().total()).isEqualTo(16);
        assertThat(chains[0].writable().offset(0)).isEqualTo(data - GuestMemory.BASE);
    }

    private static void offer(RawRing ring, long address, int flags) {
        switch (ring) {
            case RawSplitRing split -> {
                split.descriptor(0, address, 16, flags, 0);
                split.available(0);
            }
            case RawPackedRing packed ->
                    packed.descriptor(0, address, 16, 0, RawPackedRing.AVAIL | flags);
        }
    }

    /** Does something whenever {@code watched} is resolved. */
    private record WhileResolving(BusMemory memory, long watched, Runnable action)
            implements BusMemory {
        @Override
        public Resolution resolve(long address, long length, Access access, Buffers into) {
            if (address == watched) {
                action.run();
            }
            return memory.resolve(address, length, access, into);
        }

        @Override
        public void release(Buffers buffers) {
            memory.release(buffers);
        }

        @Override
        public MemorySegment ringArea(long address, long length, Access access)
                throws UnmappedRangeException {
            return memory.ringArea(address, length, access);
        }
    }
}
