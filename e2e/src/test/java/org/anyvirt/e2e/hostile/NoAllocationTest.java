package org.anyvirt.e2e.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.anyvirt.devices.block.BlockDevice;
import org.anyvirt.driver.block.BlockDriver;
import org.anyvirt.driver.block.BlockLoad;
import org.anyvirt.driver.block.BlockOptions;
import org.anyvirt.driver.block.LoadPlan;
import org.anyvirt.driver.block.LoadResult;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.vhostuser.VhostUserDevice;
import org.anyvirt.driver.vhostuser.VhostUserOptions;
import org.anyvirt.e2e.guest.Places;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.anyvirt.storage.Stores;
import org.anyvirt.transports.vhostuser.BackendOptions;
import org.anyvirt.transports.vhostuser.Endpoint;
import org.anyvirt.transports.vhostuser.VhostUserBackend;
import org.anyvirt.virtio.spec.FeatureBits;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The thread that serves a queue allocates nothing for a request. The backend is in this process,
 * where the JVM tells what a thread has allocated.
 */
@Timeout(120)
class NoAllocationTest {
    private static final int REQUESTS = 1_000_000;
    private static final int WARM_UP = 200_000;
    private static final int DEPTH = 32;
    private static final int BLOCK = 4096;
    private static final long DISK_SIZE = 16 << 20;

    /**
     * Bytes for all of the million: one smallest object for every 488 requests would be too much.
     * Nothing of ours is in it. When the JVM drops compiled code and goes on interpreting, which
     * the first wait or the first rare branch makes it do, it has to make the objects that the
     * compiler had done without: some hundred bytes each time, a few times in all.
     */
    private static final long ALLOWED = 32 << 10;

    private static final com.sun.management.ThreadMXBean THREADS =
            (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();

    private Path folder;

    static List<Arguments> storesOfEachRing() {
        return Stream.of("zero:16M", "memory:16M", "file:%s/disk.img,size=16M")
                .flatMap(store -> Stream.of(Kind.values()).map(kind -> Arguments.of(store, kind)))
                .toList();
    }

    @BeforeEach
    void makeFolder() throws IOException {
        folder = Places.shortFolder();
    }

    @AfterEach
    void deleteFolder() throws IOException {
        Places.delete(folder);
    }

    @ParameterizedTest(name = "{0}, {1}")
    @MethodSource("storesOfEachRing")
    void allocatesNothingForAMillionRequests(String store, Kind kind) throws IOException {
        Path socket = folder.resolve("disk");
        try (BlockDevice device =
                        new BlockDevice(
                                BlockDevice.Config.DEFAULT, Stores.open(store.formatted(folder)));
                VhostUserBackend backend =
                        new VhostUserBackend(
                                "frugal",
                                device,
                                new Endpoint.Listen(socket, 0600),
                                BackendOptions.DEFAULT)) {
            backend.start();
            try (BlockDriver driver = start(socket, kind)) {
                run(driver, WARM_UP);
                long runner = runner();
                long before = THREADS.getThreadAllocatedBytes(runner);
                LoadResult result = run(driver, REQUESTS);
                long allocated = THREADS.getThreadAllocatedBytes(runner) - before;
                assertThat(allocated)
                        .as("bytes allocated for %d requests", result.requests())
                        .isBetween(0L, ALLOWED);
            }
        }
    }

    private static BlockDriver start(Path socket, Kind kind) throws IOException {
        BlockOptions options =
                BlockOptions.defaults().withDepth(DEPTH).withBuffers(BLOCK, BLOCK / 2);
        VhostUserDevice device =
                VhostUserDevice.connect(
                        socket, GuestMemory.ofSize(4 << 20), VhostUserOptions.DEFAULT);
        return BlockDriver.start(
                device,
                kind == Kind.PACKED
                        ? options.withWanted(
                                BlockOptions.ALL.with(FeatureBits.VIRTIO_F_RING_PACKED))
                        : options);
    }

    private static LoadResult run(BlockDriver driver, int requests) {
        LoadPlan plan = LoadPlan.random(50, BLOCK, DEPTH, DISK_SIZE).withRequests(requests);
        LoadResult result = new BlockLoad(plan, driver.queue(0)).run();
        assertThat(result.firstProblem()).isNull();
        assertThat(result.requests()).isGreaterThanOrEqualTo(requests);
        return result;
    }

    private static long runner() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("frugal runner 0"))
                .findFirst()
                .orElseThrow()
                .threadId();
    }
}
