package org.anyvirt.benchmarks;

import java.util.Arrays;

/**
 * The middle of some samples.
 *
 * @param low a quarter of the samples are at most this
 * @param median half of them
 * @param high three quarters of them
 */
record Quartiles(double low, double median, double high) {
    /** Of at least one sample; between two neighbours by linear interpolation. */
    static Quartiles of(double[] samples) {
        if (samples.length == 0) {
            throw new IllegalArgumentException("no samples");
        }
        double[] sorted = samples.clone();
        Arrays.sort(sorted);
        return new Quartiles(at(sorted, 0.25), at(sorted, 0.5), at(sorted, 0.75));
    }

    private static double at(double[] sorted, double fraction) {
        double position = fraction * (sorted.length - 1);
        int below = (int) position;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
    }
}
