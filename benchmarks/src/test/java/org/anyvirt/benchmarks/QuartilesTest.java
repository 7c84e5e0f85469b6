package org.anyvirt.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class QuartilesTest {
    @Test
    void findsTheMiddleOfAnOddNumberOfSamples() {
        assertThat(Quartiles.of(new double[] {5, 1, 4, 2, 3})).isEqualTo(new Quartiles(2, 3, 4));
    }

    @Test
    void interpolatesBetweenTwoSamples() {
        assertThat(Quartiles.of(new double[] {2, 1})).isEqualTo(new Quartiles(1.25, 1.5, 1.75));
    }

    @Test
    void refusesNoSamples() {
        assertThatThrownBy(() -> Quartiles.of(new double[0]))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
