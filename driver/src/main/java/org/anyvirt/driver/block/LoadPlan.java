package org.anyvirt.driver.block;

import java.util.concurrent.TimeUnit;

/**
 * A load on a block device.
 *
 * @param readPercent the share of reads among the requests; the others write
 * @param random whether each request goes anywhere, or where the last one ended
 * @param blockSize bytes a request, a multiple of 512; requests are aligned to it
 * @param depth requests in flight, a queue
 * @param offset where the range begins that the load is on, in bytes
 * @param length of the range, in bytes
 * @param requests ends the load after so many, a queue
 * @param durationNanos ends the load after this time
 * @param verify checks each block read against what was written last, and all of them at the end
 * @param seed of everything random
 */
public record LoadPlan(
        int readPercent,
        boolean random,
        int blockSize,
        int depth,
        long offset,
        long length,
        long requests,
        long durationNanos,
        boolean verify,
        long seed) {
    public LoadPlan {
        if (readPercent < 0 || readPercent > 100) {
            throw new IllegalArgumentException(readPercent + " % of reads");
        }
        if (blockSize < 512 || blockSize % 512 != 0 || offset % blockSize != 0) {
            throw new IllegalArgumentException(
                    "blocks of %d bytes from %d on".formatted(blockSize, offset));
        }
        if (length < (long) depth * blockSize || depth < 1) {
            throw new IllegalArgumentException(
                    "%d requests at once of %d bytes in a range of %d"
                            .formatted(depth, blockSize, length));
        }
    }

    /** A second of requests anywhere in the first {@code length} bytes, without verification. */
    public static LoadPlan random(int readPercent, int blockSize, int depth, long length) {
        return new LoadPlan(
                readPercent,
                true,
                blockSize,
                depth,
                0,
                length,
                Long.MAX_VALUE,
                TimeUnit.SECONDS.toNanos(1),
                false,
                1);
    }

    /** The same, one block after the other. */
    public static LoadPlan sequential(int readPercent, int blockSize, int depth, long length) {
        LoadPlan plan = random(readPercent, blockSize, depth, length);
        return new LoadPlan(
                readPercent,
                false,
                blockSize,
                depth,
                0,
                length,
                plan.requests,
                plan.durationNanos,
                false,
                1);
    }

    public LoadPlan withRange(long from, long bytes) {
        return new LoadPlan(
                readPercent,
                random,
                blockSize,
                depth,
                from,
                bytes,
                requests,
                durationNanos,
                verify,
                seed);
    }

    /** Ends after so many requests a queue, however long that takes. */
    public LoadPlan withRequests(long count) {
        return new LoadPlan(
                readPercent,
                random,
                blockSize,
                depth,
                offset,
                length,
                count,
                Long.MAX_VALUE,
                verify,
                seed);
    }

    /** Ends after this time, however many requests that takes. */
    public LoadPlan withMillis(long millis) {
        return new LoadPlan(
                readPercent,
                random,
                blockSize,
                depth,
                offset,
                length,
                Long.MAX_VALUE,
                TimeUnit.MILLISECONDS.toNanos(millis),
                verify,
                seed);
    }

    public LoadPlan withVerify(boolean on) {
        return new LoadPlan(
                readPercent,
                random,
                blockSize,
                depth,
                offset,
                length,
                requests,
                durationNanos,
                on,
                seed);
    }

    public LoadPlan withSeed(long value) {
        return new LoadPlan(
                readPercent,
                random,
                blockSize,
                depth,
                offset,
                length,
                requests,
                durationNanos,
                verify,
                value);
    }
}
