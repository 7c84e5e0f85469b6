package org.anyvirt.driver.queue;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.virtio.queue.Chain;
import org.anyvirt.virtio.queue.MalformedChainException;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(120)
class RingAllocationTest {
    private static final Logger LOG = System.getLogger(RingAllocationTest.class.getName());
    private static final int REQUESTS = 1_000_000;
    private static final int WARM_UP = 50_000;
    private static final int DEPTH = 32;

    /**
     * An object that the compiler had done away with appears now and then when its code is
     * discarded. One a request would be at least 16,000,000 bytes.
     */
    private static final long NOISE_BYTES = 4096;

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final DriverChain chain = new DriverChain();
    private final Chain[] taken = new Chain[DEPTH];
    private final UsedBuffers used = this::used;
    private SharedRange buffers;
    private long reaped;

    static List<RingVariant> variants() {
        return RingVariant.all();
    }

    @ParameterizedTest
    @MethodSource("variants")
    void aMillionRequestsAllocateNothing(RingVariant variant) throws Exception {
        try (RingPair pair = new RingPair(variant, 128, 1 << 20)) {
            buffers = pair.memory.allocate(DEPTH * 64, 64);
            run(pair, variant, WARM_UP);
            long before = THREADS.getCurrentThreadAllocatedBytes();
            long start = System.nanoTime();
            run(pair, variant, REQUESTS);
            long nanos = System.nanoTime() - start;
            long allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
            LOG.log(
                    Level.INFO,
                    "%s: %.0f ns a request, both halves"
                            .formatted(variant, (double) nanos / REQUESTS));
            assertThat(allocated).isLessThan(NOISE_BYTES);
        }
    }

    private void run(RingPair pair, RingVariant variant, int requests)
            throws MalformedChainException {
        for (reaped = 0; reaped < requests; ) {
            for (int i = 0; i < DEPTH; i++) {
                long at = buffers.address() + i * 64;
                chain.clear().readable(at, 16).writable(at + 16, 32).writable(at + 48, 1);
                if (variant.indirect()) {
                    chain.indirectFrom(0);
                }
                if (!pair.driver.add(chain, i)) {
                    throw new AssertionError("no room");
                }
            }
            pair.driver.publish();
            int count = pair.device.take(taken, DEPTH);
            for (int i = 0; i < count; i++) {
                pair.device.complete(taken[i], 33);
            }
            pair.device.flush();
            pair.driver.reap(used, DEPTH);
            if (!pair.driver.arm() && !pair.device.arm()) {
                pair.driver.disarm();
                pair.device.disarm();
            }
        }
    }

    private void used(long token, long written) {
        reaped++;
    }
}
