package org.anyvirt.daemon.demo;

import java.io.IOException;
import java.security.MessageDigest;
import java.util.SplittableRandom;
import org.anyvirt.driver.block.BlockDriver;
import org.anyvirt.driver.block.BlockLoad;
import org.anyvirt.driver.block.BlockOptions;
import org.anyvirt.driver.block.LoadPlan;
import org.anyvirt.driver.block.LoadResult;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/** What goes into the disk comes out of it, and stands in its file. */
final class Verification {
    private static final int BYTES = 64 << 20;
    private static final int PART = 1 << 20;
    private static final int QUEUES = 4;
    private static final int CHECKED_REQUESTS = 10_000;

    private final Story story;
    private final DemoDisk disk;

    Verification(Story story, DemoDisk disk) {
        this.story = story;
        this.disk = disk;
    }

    boolean run() throws IOException, InterruptedException {
        story.chapter("What goes in comes out");
        boolean right = writeAndRead("split rings", BlockOptions.ALL);
        Features packed = BlockOptions.ALL.with(FeatureBits.VIRTIO_F_RING_PACKED);
        right &= writeAndRead("packed rings", packed);
        return right & readAndWriteAtOnce(packed);
    }

    private boolean writeAndRead(String rings, Features features) throws IOException {
        String in;
        String out;
        long seed = System.nanoTime();
        try (BlockDriver driver = disk.drive(BlockOptions.defaults().withWanted(features))) {
            in = write(driver, seed);
            out = read(driver);
        }
        story.line("%s: %d MiB of random bytes, written, flushed and read", rings, BYTES >> 20);
        story.fact("  SHA-256 of what went in", in);
        boolean right = compare("  of what came out", in, out);
        return disk.image() == null
                ? right
                : right & compare("  of the file", in, Hashes.of(disk.image(), BYTES));
    }

    private boolean compare(String what, String expected, String actual) {
        boolean same = expected.equals(actual);
        story.fact(what, "%s  %s", actual, same ? "same" : "DIFFERENT");
        return same;
    }

    private static String write(BlockDriver driver, long seed) throws IOException {
        MessageDigest digest = Hashes.begin();
        SplittableRandom random = new SplittableRandom(seed);
        byte[] part = new byte[PART];
        for (int at = 0; at < BYTES; at += PART) {
            random.nextBytes(part);
            digest.update(part);
            driver.disk().write(at, part);
        }
        driver.disk().flush();
        return Hashes.end(digest);
    }

    private static String read(BlockDriver driver) throws IOException {
        MessageDigest digest = Hashes.begin();
        for (int at = 0; at < BYTES; at += PART) {
            digest.update(driver.disk().read(at, PART));
        }
        return Hashes.end(digest);
    }

    private boolean readAndWriteAtOnce(Features features) throws IOException, InterruptedException {
        BlockOptions options = BlockOptions.defaults().withQueues(QUEUES).withWanted(features);
        LoadResult result;
        try (BlockDriver driver = disk.drive(options)) {
            result =
                    BlockLoad.runOnAll(
                            LoadPlan.random(50, 4096, 32, BYTES)
                                    .withRequests(CHECKED_REQUESTS)
                                    .withVerify(true)
                                    .withSeed(System.nanoTime()),
                            driver);
        }
        story.line(
                "%d queues, depth 32: %,d random reads and writes of 4 KiB, every block checked:",
                QUEUES, result.requests());
        story.line(
                "  %d errors, %d mismatches%s",
                result.errors(),
                result.mismatches(),
                result.firstProblem() == null ? "" : ": " + result.firstProblem());
        return result.firstProblem() == null;
    }
}
