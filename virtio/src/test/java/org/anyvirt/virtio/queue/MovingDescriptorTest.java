package org.anyvirt.virtio.queue;

import static org.anyvirt.virtio.raw.RawRing.INDIRECT;
import static org.anyvirt.virtio.raw.RawRing.WRITE;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicBoolean;
import org.anyvirt.virtio.memory.Buffers;
import org.anyvirt.virtio.raw.Element;
import org.anyvirt.virtio.raw.GuestMemory;
import org.anyvirt.virtio.raw.RawPackedRing;
import org.anyvirt.virtio.raw.RawRing;
import org.anyvirt.virtio.raw.RawSplitRing;
import org.anyvirt.virtio.spec.FeatureBits;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A driver that changes descriptors while the device reads them: what was checked is what is used.
 */
class MovingDescriptorTest {
    private static final int SIZE = 4;
    private static final int ROUNDS = 4_000;

    private final GuestMemory guest = new GuestMemory(1 << 20);
    private final long data = guest.allocate(4096, 16);
    private final Chain[] chains = new Chain[1];

    @ParameterizedTest(name = "packed: {0}, in a table: {1}")
    @CsvSource({"false, false", "false, true", "true, false", "true, true"})
    @Timeout(60)
    void neverHandsOutARangeThatItDidNotCheck(boolean packed, boolean inTable) throws Exception {
        RawRing ring = RawRing.create(packed, guest, SIZE);
        long table = guest.allocate(32, 16);
        MemorySegment moving =
                inTable ? guest.at(table, 16) : guest.at(ring.layout().descriptorArea(), 16);
        AtomicBoolean stop = new AtomicBoolean();
        if (inTable) {
            ring.tableEntry(guest.at(table, 32), 0, Element.writable(data, 16), false);
        }
        // A short buffer at the end of memory, and one that is too long for it, by turns.
        Thread driver =
                Thread.ofPlatform()
                        .start(() -> {
                            long end = GuestMemory.BASE + (1 << 20);
                            while (!stop.get()) {
                                moving.set(ValueLayout.JAVA_INT, 8, 16);
                                moving.set(ValueLayout.JAVA_LONG, 0, end - 16);
                                moving.set(ValueLayout.JAVA_INT, 8, -16);
                                moving.set(ValueLayout.JAVA_LONG, 0, data);
                                Thread.onSpinWait();
                            }
                        });
        int good = 0;
        try {
            for (int i = 0; i < ROUNDS; i++) {
                good += take(ring, inTable ? table : -1) ? 1 : 0;
            }
        } finally {
            stop.set(true);
            driver.join();
        }
        assertThat(good).isBetween(0, ROUNDS);
    }

    private boolean take(RawRing ring, long table) throws Exception {
        DeviceVirtqueue queue = ring.device(FeatureBits.VIRTIO_F_INDIRECT_DESC);
        offer(ring, table);
        try {
            assertThat(queue.take(chains, 1)).isEqualTo(1);
        } catch (MalformedChainException e) {
            assertThat(e).hasMessageContaining("is not shared memory");
            return false;
        }
        Buffers writable = chains[0].writable();
        long offset = writable.offset(0);
        assertThat(writable.total()).isEqualTo(16);
        assertThat(offset).isBetween(0L, (1L << 20) - 16);
        return true;
    }

    private void offer(RawRing ring, long table) {
        int flags = table < 0 ? WRITE : INDIRECT;
        long length = 16;
        long address = table < 0 ? data : table;
        switch (ring) {
            case RawSplitRing split -> {
                split.descriptor(0, address, length, flags, 0);
                split.availableIdx(0);
                split.available(0);
            }
            case RawPackedRing packed ->
                    packed.descriptor(0, address, length, 0, RawPackedRing.AVAIL | flags);
        }
    }
}
