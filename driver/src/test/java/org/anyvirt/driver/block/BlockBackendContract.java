package org.anyvirt.driver.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.vhostuser.VhostUserDevice;
import org.anyvirt.driver.vhostuser.VhostUserOptions;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.OpenFile;
import org.anyvirt.transports.vhostuser.message.ProtocolFeature;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every vhost-user block backend must do, driven by our driver; a subclass starts one.
 *
 * <p>The disk is a file of {@link #SIZE} bytes, which is also looked at from outside.
 */
@Timeout(60)
public abstract class BlockBackendContract {
    private static final Logger LOG = System.getLogger(BlockBackendContract.class.getName());
    private static final long SEED = Long.getLong("anyvirt.seed", System.nanoTime());
    private static final int SIZE = 8 << 20;
    private static final int QUEUES = 4;

    @TempDir protected Path directory;

    protected Path image;
    private Backend backend;

    /** A backend that serves {@link #image}. */
    protected interface Backend extends AutoCloseable {
        Path socket();

        /** Gives the disk another capacity, in bytes, or returns false when it cannot. */
        boolean resize(long capacity) throws IOException;

        /** Whether it serves a driver that polls and gives no eventfd to notify it with. */
        boolean servesWithoutCallFd();

        /** Ends it without warning, or returns false when that cannot be done. */
        boolean kill();

        @Override
        void close();
    }

    /** Serves {@link #image}, writable, discards reaching the file, with {@code queues} queues. */
    protected abstract Backend start(int queues) throws Exception;

    /** Called when a test has seen features at work on the backend. */
    protected void worked(TestInfo test, String... features) {}

    public static List<BlockVariant> variants() {
        return BlockVariant.all();
    }

    @BeforeEach
    void start() throws Exception {
        LOG.log(Level.INFO, "seed " + SEED);
        image = Files.write(directory.resolve("disk.img"), new byte[SIZE]);
        backend = start(QUEUES);
    }

    @AfterEach
    void stop() {
        if (backend != null) {
            backend.close();
        }
    }

    protected final VhostUserDevice connect(VhostUserOptions options) throws IOException {
        return VhostUserDevice.connect(backend.socket(), GuestMemory.ofSize(32 << 20), options);
    }

    private BlockDriver drive(BlockOptions options) throws IOException {
        return BlockDriver.start(connect(VhostUserOptions.DEFAULT), options);
    }

    private void assumeOffered(Features wanted) throws IOException {
        try (VhostUserDevice device = connect(VhostUserOptions.DEFAULT)) {
            Features missing =
                    wanted.minus(device.offered())
                            .and(
                                    Features.of(
                                            FeatureBits.VIRTIO_F_RING_PACKED,
                                            FeatureBits.VIRTIO_F_INDIRECT_DESC,
                                            FeatureBits.VIRTIO_F_EVENT_IDX));
            assumeTrue(missing.isEmpty(), () -> "this backend does not offer " + missing);
        }
    }

    private byte[] random(int length) {
        byte[] bytes = new byte[length];
        new SplittableRandom(SEED).nextBytes(bytes);
        return bytes;
    }

    @Test
    void tellsWhatItIs(TestInfo test) throws Exception {
        try (VhostUserDevice device = connect(VhostUserOptions.DEFAULT)) {
            LOG.log(
                    Level.INFO,
                    "offers %s, protocol features %s"
                            .formatted(
                                    device.offered(),
                                    ProtocolFeature.describe(
                                            device.frontend().getProtocolFeatures())));
            assertThat(device.offered().has(FeatureBits.VIRTIO_F_VERSION_1)).isTrue();
            assertThat(device.queuesMax()).isGreaterThanOrEqualTo(QUEUES);
        }
        try (BlockDriver driver = drive(BlockOptions.defaults())) {
            assertThat(driver.config().capacity()).isEqualTo(SIZE / 512);
            assertThat(driver.config().numQueues()).isEqualTo(QUEUES);
            assertThat(driver.config().blkSize()).isGreaterThanOrEqualTo(512);
            assertThat(driver.disk().id()).isNotEmpty();
            worked(test, "VIRTIO_BLK_T_GET_ID", "VHOST_USER_PROTOCOL_F_CONFIG");
        }
    }

    @ParameterizedTest
    @MethodSource("variants")
    void readsWhatWasWrittenAtDepth32(BlockVariant variant, TestInfo test) throws Exception {
        assumeOffered(variant.features());
        try (BlockDriver driver = drive(variant.options())) {
            LoadPlan plan =
                    LoadPlan.random(50, 4096, 32, SIZE)
                            .withRequests(4000)
                            .withVerify(true)
                            .withSeed(SEED);
            LoadResult result = new BlockLoad(plan, driver.queue(0)).run();
            LOG.log(Level.INFO, variant + ": " + result);
            assertThat(result.requests()).isEqualTo(4000);
            assertThat(result.firstProblem()).as("seed %d", SEED).isNull();
            driver.disk().flush();
            assertThat(driver.disk().read(0, SIZE)).isEqualTo(Files.readAllBytes(image));
            worked(test, variant.names());
            worked(test, "VIRTIO_BLK_T_IN", "VIRTIO_BLK_T_OUT", "VIRTIO_BLK_T_FLUSH");
        }
    }

    @ParameterizedTest
    @MethodSource("variants")
    void wakesADriverThatSleeps(BlockVariant variant) throws Exception {
        assumeOffered(variant.features());
        try (BlockDriver driver = drive(variant.options().withSpinNanos(0))) {
            LoadPlan plan =
                    LoadPlan.random(50, 4096, 4, SIZE)
                            .withRequests(1000)
                            .withVerify(true)
                            .withSeed(SEED);
            LoadResult result = new BlockLoad(plan, driver.queue(0)).run();
            LOG.log(Level.INFO, variant + ": " + result);
            assertThat(result.sleeps()).isPositive();
            assertThat(result.firstProblem()).as("seed %d", SEED).isNull();
        }
    }

    @ParameterizedTest
    @MethodSource("variants")
    void takesDataInManySegments(BlockVariant variant) throws Exception {
        assumeOffered(variant.features());
        BlockOptions options =
                variant.options().withDepth(4).withBuffers(30 * 512, 512).withQueueSize(128);
        try (BlockDriver driver = drive(options)) {
            byte[] written = random(30 * 512 * 5);
            driver.disk().write(512, written);
            assertThat(driver.disk().read(512, written.length)).isEqualTo(written);
            driver.disk().flush();
            byte[] file = Files.readAllBytes(image);
            assertThat(Arrays.copyOfRange(file, 512, 512 + written.length)).isEqualTo(written);
        }
    }

    @Test
    void servesFourQueuesAtOnce(TestInfo test) throws Exception {
        try (BlockDriver driver = drive(BlockOptions.defaults().withQueues(QUEUES))) {
            LoadPlan plan =
                    LoadPlan.random(50, 4096, 32, SIZE)
                            .withRequests(2000)
                            .withVerify(true)
                            .withSeed(SEED);
            LoadResult result = BlockLoad.runOnAll(plan, driver);
            LOG.log(Level.INFO, "four queues: " + result);
            assertThat(result.requests()).isEqualTo(QUEUES * 2000L);
            assertThat(result.firstProblem()).as("seed %d", SEED).isNull();
            worked(test, "VIRTIO_BLK_F_MQ", "VHOST_USER_PROTOCOL_F_MQ");
        }
    }

    @Test
    void flushesDiscardsAndWritesZeroes(TestInfo test) throws Exception {
        try (BlockDriver driver = drive(BlockOptions.defaults())) {
            Disk disk = driver.disk();
            byte[] written = random(SIZE);
            disk.write(0, written);
            disk.flush();
            assertThat(Files.readAllBytes(image)).isEqualTo(written);

            disk.writeZeroes(1 << 20, 1 << 19, false);
            disk.writeZeroes(2 << 20, 1 << 20, true);
            disk.discard(4 << 20, 2 << 20);
            disk.flush();
            Arrays.fill(written, 1 << 20, 3 << 19, (byte) 0);
            Arrays.fill(written, 2 << 20, 3 << 20, (byte) 0);
            Arrays.fill(written, 4 << 20, 6 << 20, (byte) 0);
            assertThat(disk.read(0, SIZE)).isEqualTo(written);
            assertThat(Files.readAllBytes(image)).isEqualTo(written);
            assertThat(allocated()).as("bytes the image takes up").isLessThan(SIZE - (1 << 20));
            worked(test, "VIRTIO_BLK_T_DISCARD", "VIRTIO_BLK_T_WRITE_ZEROES");
        }
    }

    private long allocated() throws IOException {
        try (Fd file = OpenFile.open(image, OpenFile.O_RDONLY, 0)) {
            return OpenFile.stat(file).blocks512() * 512;
        }
    }

    @Test
    void refusesWhatIsBeyondTheEnd() throws Exception {
        try (BlockDriver driver = drive(BlockOptions.defaults())) {
            assertThatThrownBy(() -> driver.disk().read(SIZE, 512))
                    .isInstanceOf(BlockRequestException.class)
                    .hasMessageContaining("VIRTIO_BLK_S_IOERR");
            assertThatThrownBy(() -> driver.disk().write(SIZE - 512, new byte[1024]))
                    .isInstanceOf(BlockRequestException.class);
            driver.disk().write(SIZE - 512, new byte[512]);
        }
    }

    @Test
    void answersAnUnknownRequestWithUnsupported() throws Exception {
        try (BlockDriver driver = drive(BlockOptions.defaults())) {
            BlockRequests requests = driver.queue(0);
            int[] status = {-1};
            requests.request(requests.acquire(), 77, 0, 512, true);
            requests.submit();
            assertThat(requests.await((slot, ended) -> status[0] = ended, 10_000)).isOne();
            assertThat(status[0]).isEqualTo(BlockStatus.VIRTIO_BLK_S_UNSUPP);
        }
    }

    @Test
    void switchesTheCacheMode(TestInfo test) throws Exception {
        try (BlockDriver driver = drive(BlockOptions.defaults())) {
            assumeTrue(
                    driver.accepted().has(BlockFeatureBits.VIRTIO_BLK_F_CONFIG_WCE),
                    "this backend does not offer VIRTIO_BLK_F_CONFIG_WCE");
            for (boolean on : new boolean[] {true, false, true}) {
                driver.writeback(on);
                assertThat(driver.config().writeback()).isEqualTo(on ? 1 : 0);
                driver.disk().write(0, random(4096));
            }
            worked(test, "VIRTIO_BLK_F_CONFIG_WCE");
        }
    }

    @Test
    void tellsOfANewCapacity() throws Exception {
        try (BlockDriver driver = drive(BlockOptions.defaults())) {
            CountDownLatch changed = new CountDownLatch(1);
            driver.device().onConfigChange(changed::countDown);
            assumeTrue(backend.resize(2 * SIZE), "this backend does not tell of new capacities");
            assertThat(changed.await(20, TimeUnit.SECONDS)).isTrue();
            assertThat(driver.config().capacity()).isEqualTo(2 * SIZE / 512);
            driver.disk().write(2 * SIZE - 4096, random(4096));
            driver.disk().flush();
            assertThat(Files.size(image)).isEqualTo(2 * SIZE);
        }
    }

    @ParameterizedTest
    @MethodSource("variants")
    void goesOnAfterAQueueStopped(BlockVariant variant, TestInfo test) throws Exception {
        assumeOffered(variant.features());
        try (BlockDriver driver = drive(variant.options())) {
            byte[] written = random(64 << 10);
            for (int round = 0; round < 20; round++) {
                driver.disk().write(round * 4096L, written);
                QueuePosition expected = driver.queue(0).queue().position();
                assertThat(driver.restart(0)).isEqualTo(expected);
                assertThat(driver.disk().read(round * 4096L, written.length)).isEqualTo(written);
            }
            worked(test, "vhost-user GET_VRING_BASE");
        }
    }

    @Test
    void servesOneFrontendAfterAnother() throws Exception {
        byte[] written = random(64 << 10);
        for (int session = 0; session < 5; session++) {
            try (BlockDriver driver = drive(BlockOptions.defaults())) {
                if (session > 0) {
                    assertThat(driver.disk().read(0, written.length)).isEqualTo(written);
                }
                written[0]++;
                driver.disk().write(0, written);
            }
        }
    }

    public static Stream<VhostUserOptions> conversations() {
        VhostUserOptions all = VhostUserOptions.DEFAULT;
        return Stream.of(
                all.withMemorySlots(false),
                all.without(ProtocolFeature.VHOST_USER_PROTOCOL_F_REPLY_ACK),
                all.without(ProtocolFeature.VHOST_USER_PROTOCOL_F_BACKEND_REQ),
                all.without(ProtocolFeature.VHOST_USER_PROTOCOL_F_MQ),
                all.without(ProtocolFeature.VHOST_USER_PROTOCOL_F_STATUS));
    }

    @ParameterizedTest
    @MethodSource("conversations")
    void speaksWithFrontendsOfLessWords(VhostUserOptions words) throws Exception {
        writesAndReads(words, BlockOptions.defaults());
    }

    @Test
    void servesADriverThatPolls() throws Exception {
        assumeTrue(
                backend.servesWithoutCallFd(), "this backend does not work without a call eventfd");
        writesAndReads(
                VhostUserOptions.DEFAULT.withCallFd(false),
                BlockOptions.defaults().withSpinNanos(Long.MAX_VALUE));
    }

    private void writesAndReads(VhostUserOptions words, BlockOptions options) throws IOException {
        try (BlockDriver driver = BlockDriver.start(connect(words), options)) {
            byte[] written = random(256 << 10);
            driver.disk().write(0, written);
            assertThat(driver.disk().read(0, written.length)).isEqualTo(written);
        }
    }

    @Test
    void leavesNoDescriptorBehind() throws Exception {
        drive(BlockOptions.defaults()).close();
        int before = descriptors();
        for (int session = 0; session < 10; session++) {
            drive(BlockOptions.defaults().withQueues(1 + session % QUEUES)).close();
        }
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (descriptors() > before && System.nanoTime() < deadline) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
        }
        assertThat(descriptors()).isLessThanOrEqualTo(before);
    }

    private static int descriptors() {
        return new File("/proc/self/fd").list().length;
    }

    @Test
    void itsDeathIsSeenAtOnce() throws Exception {
        try (BlockDriver driver = drive(BlockOptions.defaults().withSpinNanos(0))) {
            driver.disk().write(0, random(4096));
            assumeTrue(backend.kill(), "this backend cannot be killed");
            assertThatThrownBy(() -> driver.disk().read(0, 4096))
                    .isInstanceOf(UncheckedIOException.class)
                    .hasMessageContaining("the backend has gone");
        }
    }
}
