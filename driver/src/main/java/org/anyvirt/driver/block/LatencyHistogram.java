package org.anyvirt.driver.block;

import java.util.Arrays;

/**
 * Counts durations, log-linear: exact below 64 ns, and to 3.2 % above.
 *
 * <p>Data plane: one thread records, without allocating.
 */
public final class LatencyHistogram {
    private static final int SUB_BITS = 6;
    private static final int SUB_BUCKETS = 1 << SUB_BITS;

    /** Up to 2^40 ns, a quarter of an hour. */
    private static final int MAGNITUDES = 40 - SUB_BITS + 1;

    private final long[] counts = new long[MAGNITUDES * SUB_BUCKETS];
    private long count;
    private long total;
    private long max;

    public LatencyHistogram() {}

    /**
     * @param nanos 0 or more
     */
    public void record(long nanos) {
        counts[bucket(nanos)]++;
        count++;
        total += nanos;
        max = Math.max(max, nanos);
    }

    /** Adds what another has counted. */
    public void add(LatencyHistogram other) {
        for (int i = 0; i < counts.length; i++) {
            counts[i] += other.counts[i];
        }
        count += other.count;
        total += other.total;
        max = Math.max(max, other.max);
    }

    /** What was counted so far. */
    public LatencyHistogram copy() {
        LatencyHistogram same = new LatencyHistogram();
        same.add(this);
        return same;
    }

    /** Forgets everything. */
    public void clear() {
        Arrays.fill(counts, 0);
        count = 0;
        total = 0;
        max = 0;
    }

    public long count() {
        return count;
    }

    public long maxNanos() {
        return max;
    }

    public long meanNanos() {
        return count == 0 ? 0 : total / count;
    }

    /**
     * The duration that this share of all was not longer than.
     *
     * @param percent above 0, up to 100
     * @return in nanoseconds, at most 3.2 % too much; 0 when nothing was counted
     */
    public long percentileNanos(double percent) {
        long rank = Math.max(1, (long) Math.ceil(count * percent / 100));
        long seen = 0;
        for (int i = 0; i < counts.length; i++) {
            seen += counts[i];
            if (seen >= rank) {
                return Math.min(highest(i), max);
            }
        }
        return max;
    }

    /** Below 2^6 one bucket a value; each later power of two has 64, of which half are taken. */
    private static int bucket(long nanos) {
        int magnitude = Math.max(0, Long.SIZE - SUB_BITS - Long.numberOfLeadingZeros(nanos));
        if (magnitude >= MAGNITUDES) {
            return MAGNITUDES * SUB_BUCKETS - 1;
        }
        return magnitude * SUB_BUCKETS + (int) (nanos >>> magnitude);
    }

    private static long highest(int bucket) {
        int magnitude = bucket / SUB_BUCKETS;
        long value = bucket % SUB_BUCKETS;
        return (value + 1 << magnitude) - 1;
    }
}
