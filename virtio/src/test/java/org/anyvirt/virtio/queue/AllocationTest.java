package org.anyvirt.virtio.queue;

import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_EVENT_IDX;
import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_INDIRECT_DESC;
import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_IN_ORDER;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.anyvirt.virtio.raw.Element;
import org.anyvirt.virtio.raw.GuestMemory;
import org.anyvirt.virtio.raw.RawRing;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The device's half of a request allocates nothing. */
class AllocationTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final int SIZE = 256;
    private static final int BATCH = 64;
    private static final int WARM_UP = 200_000;
    private static final int ROUNDS = 4;
    private static final int REQUESTS = 1_000_000;

    private final GuestMemory guest = new GuestMemory(1 << 20);
    private final long data = guest.allocate(8192, 16);
    private final Chain[] chains = new Chain[BATCH];

    @ParameterizedTest(name = "packed: {0}, indirect: {1}, in order: {2}")
    @CsvSource({
        "false, false, false",
        "false, true, false",
        "false, true, true",
        "true, false, false",
        "true, true, false",
        "true, true, true"
    })
    @Timeout(120)
    void allocatesNothingForAMillionRequests(boolean packed, boolean indirect, boolean inOrder)
            throws Exception {
        RawRing ring = RawRing.create(packed, guest, SIZE);
        DeviceVirtqueue queue =
                inOrder
                        ? ring.device(VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX, VIRTIO_F_IN_ORDER)
                        : ring.device(VIRTIO_F_INDIRECT_DESC);

        serve(ring, queue, indirect, WARM_UP);
        // The compiler may still throw code away, and the interpreter that takes over allocates a
        // few bytes once; what a request allocated would show in every round.
        long allocated = Long.MAX_VALUE;
        for (int round = 0; round < ROUNDS && allocated > 0; round++) {
            allocated = Math.min(allocated, serve(ring, queue, indirect, REQUESTS));
        }

        assertThat(allocated).as("bytes for %d requests", REQUESTS).isZero();
    }

    private long serve(RawRing ring, DeviceVirtqueue queue, boolean indirect, int requests)
            throws MalformedChainException {
        Element[] elements = {
            Element.readable(data, 16),
            Element.writable(data + 4096, 4096),
            Element.writable(data + 16, 1)
        };
        long allocated = 0;
        for (int done = 0; done < requests; done += BATCH) {
            for (int i = 0; i < BATCH; i++) {
                ring.offerIndirect(indirect ? elements.length : 0, elements);
            }
            long before = THREADS.getCurrentThreadAllocatedBytes();
            serveBatch(queue);
            allocated += THREADS.getCurrentThreadAllocatedBytes() - before;
            while (ring.poll() != null) {
                continue;
            }
        }
        return allocated;
    }

    private void serveBatch(DeviceVirtqueue queue) throws MalformedChainException {
        queue.disarm();
        int taken = queue.take(chains, BATCH);
        for (int i = 0; i < taken; i++) {
            Chain chain = chains[(i + 7) % taken];
            byte type = chain.readable().getByte(0);
            chain.writable().putByte(4096, type);
            if (i % 4 == 0) {
                queue.completeFrom(chain.token(), 4097);
            } else {
                queue.complete(chain, 4097);
            }
        }
        queue.reapHandedOver();
        queue.flush();
        queue.arm();
    }
}
