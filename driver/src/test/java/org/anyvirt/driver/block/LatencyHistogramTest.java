package org.anyvirt.driver.block;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class LatencyHistogramTest {
    private static final long SEED = Long.getLong("anyvirt.seed", System.nanoTime());

    @Test
    void agreesWithSortedValuesToThreePercent() {
        SplittableRandom random = new SplittableRandom(SEED);
        LatencyHistogram histogram = new LatencyHistogram();
        long[] values = new long[10_000];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextLong(1L << random.nextInt(1, 38));
            histogram.record(values[i]);
        }
        Arrays.sort(values);
        for (double percent : new double[] {0.01, 1, 10, 50, 90, 99, 99.9, 100}) {
            long exact = values[(int) Math.ceil(values.length * percent / 100) - 1];
            assertThat(histogram.percentileNanos(percent))
                    .as("seed %d, %f %%", SEED, percent)
                    .isBetween(exact, exact + exact / 31 + 1);
        }
        assertThat(histogram.maxNanos()).isEqualTo(values[values.length - 1]);
        assertThat(histogram.count()).isEqualTo(values.length);
    }

    @Test
    void addsUp() {
        LatencyHistogram one = new LatencyHistogram();
        LatencyHistogram two = new LatencyHistogram();
        one.record(10);
        two.record(1000);
        two.record(Long.MAX_VALUE);
        one.add(two);
        assertThat(one.count()).isEqualTo(3);
        assertThat(one.percentileNanos(34)).isBetween(1000L, 1032L);
        assertThat(one.maxNanos()).isEqualTo(Long.MAX_VALUE);
        one.clear();
        assertThat(one.count()).isZero();
        assertThat(one.percentileNanos(99)).isZero();
    }
}
