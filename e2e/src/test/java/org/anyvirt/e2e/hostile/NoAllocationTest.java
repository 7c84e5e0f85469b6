package org.anyvirt.e2e.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Arrays;
import org.anyvirt.devices.block.BlockDevice;
import org.anyvirt.driver.block.BlockDriver;
import org.anyvirt.driver.block.BlockLoad;
import org.anyvirt.driver.block.BlockOptions;
import org.anyvirt.driver.block.LoadPlan;
import org.anyvirt.driver.block.LoadResult;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.vhostuser.VhostUserDevice;
import org.anyvirt.driver.vhostuser.VhostUserOptions;
import org.anyvirt.storage.Stores;
import org.anyvirt.transports.vhostuser.BackendOptions;
import org.anyvirt.transports.vhostuser.Endpoint;
import org.anyvirt.transports.vhostuser.VhostUserBackend;
import org.anyvirt.virtio.spec.FeatureBits;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A driver cannot make the data path allocate: not a byte for a million requests. */
@Timeout(120)
class NoAllocationTest {
    private static final Logger LOG = System.getLogger(NoAllocationTest.class.getName());
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private static final String NAME = "thrifty";
    private static final long REQUESTS = 1_000_000;
    private static final long CAPACITY = 8 << 20;

    /**
     * The smallest object, once a request, would be 16 million bytes. When the JIT gives up a
     * compiled method it may allocate what that method had proved unnecessary, a few hundred bytes
     * at a time: so much is allowed for a whole round, and there is more than one round.
     */
    private static final long NOISE_BYTES = 4096;

    private static final int ROUNDS = 3;

    @TempDir private Path folder;

    @ParameterizedTest
    @CsvSource({
        "zero:8M, false",
        "zero:8M, true",
        "memory:8M, false",
        "memory:8M, true",
        "file:disk.img, false",
        "file:disk.img, true"
    })
    void aMillionRequestsAllocateNothing(String store, boolean packed) throws Exception {
        Path socket = folder.resolve("disk.sock");
        String spec = store.replace("file:", "file:" + folder + "/") + size(store);
        try (BlockDevice device = new BlockDevice(BlockDevice.Config.DEFAULT, Stores.open(spec));
                VhostUserBackend backend =
                        new VhostUserBackend(
                                NAME,
                                device,
                                new Endpoint.Listen(socket, 0600),
                                BackendOptions.DEFAULT)) {
            backend.start();
            BlockOptions options = BlockOptions.defaults().withBuffers(4096, 4096);
            if (packed) {
                options =
                        options.withWanted(BlockOptions.ALL.with(FeatureBits.VIRTIO_F_RING_PACKED));
            }
            try (BlockDriver driver =
                    BlockDriver.start(
                            VhostUserDevice.connect(
                                    socket, GuestMemory.ofSize(64 << 20), VhostUserOptions.DEFAULT),
                            options)) {
                assertThat(leastAllocated(driver))
                        .as("bytes allocated by the runner for %d requests", REQUESTS)
                        .isLessThanOrEqualTo(NOISE_BYTES);
            }
        }
    }

    private static String size(String store) {
        return store.startsWith("file:") ? ",size=" + CAPACITY : "";
    }

    private static long leastAllocated(BlockDriver driver) throws Exception {
        LoadPlan plan = LoadPlan.random(50, 4096, 32, CAPACITY);
        assertThat(new BlockLoad(plan.withRequests(REQUESTS / 10), driver.queue(0)).run().errors())
                .isZero();
        long least = Long.MAX_VALUE;
        for (int round = 0; round < ROUNDS && least > 0; round++) {
            long before = allocatedByRunner();
            LoadResult result = new BlockLoad(plan.withRequests(REQUESTS), driver.queue(0)).run();
            long allocated = allocatedByRunner() - before;
            LOG.log(Level.INFO, "{0} bytes, {1}", allocated, result);
            assertThat(result.errors()).isZero();
            assertThat(result.requests()).isEqualTo(REQUESTS);
            least = Math.min(least, allocated);
        }
        return least;
    }

    private static long allocatedByRunner() {
        long[] runners =
                Arrays.stream(THREADS.getThreadInfo(THREADS.getAllThreadIds()))
                        .filter(thread -> thread != null)
                        .filter(thread -> thread.getThreadName().startsWith(NAME + " runner"))
                        .mapToLong(thread -> thread.getThreadId())
                        .toArray();
        assertThat(runners).hasSize(1);
        return THREADS.getThreadAllocatedBytes(runners[0]);
    }
}
