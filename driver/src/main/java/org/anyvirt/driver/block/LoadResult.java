package org.anyvirt.driver.block;

/**
 * What came of a load.
 *
 * @param requests that ended, failed ones included
 * @param bytes that were read or written
 * @param errors requests that did not end with {@code VIRTIO_BLK_S_OK}
 * @param mismatches blocks that were not what was written last
 * @param firstProblem the first error or mismatch, or null
 * @param nanos how long it took
 * @param latency from the start of each request to its end
 * @param notificationsSent available buffer notifications
 * @param sleeps times that the driver slept until notified
 */
public record LoadResult(
        long requests,
        long bytes,
        long errors,
        long mismatches,
        String firstProblem,
        long nanos,
        LatencyHistogram latency,
        long notificationsSent,
        long sleeps) {
    /** Requests a second. */
    public double iops() {
        return requests * 1e9 / nanos;
    }

    public double bytesPerSecond() {
        return bytes * 1e9 / nanos;
    }

    /** The result of this load and another at the same time. */
    public LoadResult and(LoadResult other) {
        LatencyHistogram both = latency.copy();
        both.add(other.latency);
        return new LoadResult(
                requests + other.requests,
                bytes + other.bytes,
                errors + other.errors,
                mismatches + other.mismatches,
                firstProblem != null ? firstProblem : other.firstProblem,
                Math.max(nanos, other.nanos),
                both,
                notificationsSent + other.notificationsSent,
                sleeps + other.sleeps);
    }

    /** One line for people. */
    @Override
    public String toString() {
        return "%,.0f IOPS, %,.1f MiB/s, latency us p50 %.1f p99 %.1f p99.9 %.1f max %.1f%s"
                .formatted(
                        iops(),
                        bytesPerSecond() / (1 << 20),
                        latency.percentileNanos(50) / 1e3,
                        latency.percentileNanos(99) / 1e3,
                        latency.percentileNanos(99.9) / 1e3,
                        latency.maxNanos() / 1e3,
                        firstProblem == null
                                ? ""
                                : "; %d errors, %d mismatches, first: %s"
                                        .formatted(errors, mismatches, firstProblem));
    }
}
