package org.anyvirt.devices.block;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ErrorBurstTest {
    @Test
    void startsOneLineInTenSeconds() {
        ErrorBurst burst = new ErrorBurst();
        long now = Long.MAX_VALUE - 5; // the clock may overflow
        assertThat(burst.starts(now)).isTrue();
        for (int second = 0; second < 10; second++) {
            assertThat(burst.starts(now + TimeUnit.SECONDS.toNanos(second))).isFalse();
        }
        assertThat(burst.starts(now + TimeUnit.SECONDS.toNanos(10))).isTrue();
    }
}
