package org.anyvirt.driver.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class BlockLoadTest {
    private static final Logger LOG = System.getLogger(BlockLoadTest.class.getName());
    private static final long SEED = Long.getLong("anyvirt.seed", System.nanoTime());
    private static final int SIZE = 1 << 20;
    private static final Features PACKED = BlockOptions.ALL.with(FeatureBits.VIRTIO_F_RING_PACKED);
    private static final Features OFFERED = PACKED.without(BlockFeatureBits.VIRTIO_BLK_F_MQ);

    /** The result's copy of the histogram; one object a request would be 16,000,000 bytes. */
    private static final long NOISE_BYTES = 32 << 10;

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private static LoopbackDisk memoryDisk() throws IOException {
        return new LoopbackDisk(MemorySegment.ofArray(new byte[SIZE]), OFFERED);
    }

    private static LoadPlan plan() {
        return LoadPlan.random(50, 4096, 16, SIZE).withRequests(5000).withSeed(SEED);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void countsAndChecks(boolean random) throws Exception {
        try (BlockDriver driver = BlockDriver.start(memoryDisk(), BlockOptions.defaults())) {
            LoadPlan plan =
                    random ? plan() : LoadPlan.sequential(50, 4096, 16, SIZE).withRequests(5000);
            LoadResult result = new BlockLoad(plan.withVerify(true), driver.queue(0)).run();
            assertThat(result.requests()).isEqualTo(5000);
            assertThat(result.bytes()).isEqualTo(5000L * 4096);
            assertThat(result.latency().count()).isEqualTo(5000);
            assertThat(result.firstProblem()).as("seed %d", SEED).isNull();
            assertThat(driver.queue(0).queue().outstanding()).isZero();
            assertThat(result.toString()).contains("IOPS", "MiB/s").doesNotContain("errors");
        }
    }

    @Test
    void seesADiskThatForgets() throws Exception {
        LoopbackDisk disk = new LoopbackDisk(MemorySegment.ofArray(new byte[0]), OFFERED);
        try (BlockDriver driver = BlockDriver.start(disk, BlockOptions.defaults())) {
            LoadPlan plan = plan().withVerify(true);
            LoadResult result = new BlockLoad(plan, driver.queue(0)).run();
            assertThat(result.errors()).isZero();
            assertThat(result.mismatches()).isPositive();
            assertThat(result.firstProblem()).contains("read of block");
        }
    }

    @Test
    void seesOneByteOfTheDiskChanged() throws Exception {
        LoopbackDisk disk = memoryDisk();
        try (BlockDriver driver = BlockDriver.start(disk, BlockOptions.defaults())) {
            LoadPlan plan = LoadPlan.sequential(0, 4096, 16, SIZE).withRequests(SIZE / 4096);
            BlockLoad load = new BlockLoad(plan.withVerify(true), driver.queue(0));
            assertThat(load.run().mismatches()).isZero();
            disk.corrupt(77 * 4096 + 1000);
            assertThat(load.readBack().mismatches()).isOne();
            assertThat(load.readBack().firstProblem()).contains("block 77", "at byte 1000");
        }
    }

    @Test
    void countsErrors() throws Exception {
        LoopbackDisk disk = memoryDisk();
        disk.failFrom = 4990;
        try (BlockDriver driver = BlockDriver.start(disk, BlockOptions.defaults())) {
            LoadResult result = new BlockLoad(plan(), driver.queue(0)).run();
            assertThat(result.requests()).isEqualTo(5000);
            assertThat(result.errors()).isEqualTo(10);
            assertThat(result.toString()).contains("10 errors", "VIRTIO_BLK_S_IOERR");
        }
    }

    @Test
    void endsAfterItsTime() throws Exception {
        try (BlockDriver driver = BlockDriver.start(memoryDisk(), BlockOptions.defaults())) {
            LoadResult result = new BlockLoad(plan().withMillis(50), driver.queue(0)).run();
            assertThat(result.nanos()).isGreaterThanOrEqualTo(50_000_000);
            assertThat(result.requests()).isPositive();
        }
    }

    @Test
    void refusesMoreThanTheQueueHas() throws Exception {
        try (BlockDriver driver =
                BlockDriver.start(memoryDisk(), BlockOptions.defaults().withDepth(8))) {
            assertThatThrownBy(() -> new BlockLoad(plan(), driver.queue(0)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("16 requests");
        }
    }

    @Test
    void refusesOptionsThatDoNotFit() {
        assertThatThrownBy(() ->
                        BlockDriver.start(
                                memoryDisk(),
                                BlockOptions.defaults().withIndirect(false).withDepth(100)))
                .hasMessageContaining("100 requests of 3 elements");
        assertThatThrownBy(() ->
                        BlockDriver.start(memoryDisk(), BlockOptions.defaults().withQueues(2)))
                .hasMessageContaining("the device has 1 queues, not 2");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aMillionRequestsAllocateNothing(boolean packed) throws Exception {
        LoopbackDisk disk = new LoopbackDisk(MemorySegment.ofArray(new byte[0]), OFFERED);
        BlockOptions options =
                BlockOptions.defaults().withWanted(packed ? PACKED : BlockOptions.ALL);
        try (BlockDriver driver = BlockDriver.start(disk, options)) {
            LoadPlan plan = LoadPlan.random(50, 4096, 32, 1 << 30);
            new BlockLoad(plan.withRequests(200_000), driver.queue(0)).run();
            BlockLoad load = new BlockLoad(plan.withRequests(1_000_000), driver.queue(0));
            long before = THREADS.getCurrentThreadAllocatedBytes();
            long cpuBefore = THREADS.getCurrentThreadCpuTime();
            LoadResult result = load.run();
            long cpuNanos = THREADS.getCurrentThreadCpuTime() - cpuBefore;
            long allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
            LOG.log(
                    Level.INFO,
                    "%s: %s; %.0f ns of processor a request, driver and device"
                            .formatted(
                                    packed ? "packed" : "split",
                                    result,
                                    (double) cpuNanos / result.requests()));
            assertThat(allocated).isLessThan(NOISE_BYTES);
        }
    }
}
