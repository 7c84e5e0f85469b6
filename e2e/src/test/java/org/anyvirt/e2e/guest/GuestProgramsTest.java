package org.anyvirt.e2e.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class GuestProgramsTest {
    private static final List<String> MISSING = List.of("fio", "mcopy");

    @Test
    void aGuestIsSkippedWithItsReason() {
        assertThat(GuestPrograms.decide(MISSING, false).isDisabled()).isTrue();
        assertThat(GuestPrograms.decide(MISSING, false).getReason())
                .contains("no real guest: missing fio, mcopy");
    }

    @Test
    void aSkippedGuestIsAFailureInCi() {
        assertThatThrownBy(() -> GuestPrograms.decide(MISSING, true))
                .hasMessageContaining("missing fio, mcopy");
    }

    @Test
    void aGuestRunsWhereEverythingIsThere() {
        assertThat(GuestPrograms.decide(List.of(), true).isDisabled()).isFalse();
        assertThat(GuestPrograms.decide(List.of(), false).isDisabled()).isFalse();
    }
}
