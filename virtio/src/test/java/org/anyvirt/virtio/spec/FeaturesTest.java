package org.anyvirt.virtio.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class FeaturesTest {
    @Test
    void holdsBitsOfBothWords() {
        Features features = Features.of(0, 63, 64, 127);

        assertThat(features).isEqualTo(new Features(1 | 1L << 63, 1 | 1L << 63));
        for (int bit = 0; bit < 128; bit++) {
            assertThat(features.has(bit)).isEqualTo(bit % 64 == 0 || bit % 64 == 63);
        }
    }

    @Test
    void addsAndRemovesSingleBits() {
        assertThat(Features.NONE.with(5).with(70).without(5)).isEqualTo(Features.of(70));
        assertThat(Features.of(70).without(70).isEmpty()).isTrue();
        assertThat(Features.of(3).without(70)).isEqualTo(Features.of(3));
    }

    @Test
    void combinesSets() {
        Features one = Features.of(1, 2, 100);
        Features other = Features.of(2, 3, 101);

        assertThat(one.and(other)).isEqualTo(Features.of(2));
        assertThat(one.or(other)).isEqualTo(Features.of(1, 2, 3, 100, 101));
        assertThat(one.minus(other)).isEqualTo(Features.of(1, 100));
    }

    @Test
    void namesItsBits() {
        assertThat(Features.of(0, 9, 32, 64)).hasToString("{0,9,32,64}");
        assertThat(Features.NONE).hasToString("{}");
    }

    @Test
    void refusesBitsThatCannotBe() {
        assertThatThrownBy(() -> Features.of(128)).hasMessage("a feature bit is 0 to 127, not 128");
        assertThatThrownBy(() -> Features.NONE.has(-1)).hasMessageContaining("not -1");
    }
}
