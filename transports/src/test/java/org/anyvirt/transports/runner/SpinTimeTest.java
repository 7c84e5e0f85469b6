package org.anyvirt.transports.runner;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SpinTimeTest {
    private static final long MAX = 32_000;

    private final SpinTime spin = new SpinTime(MAX);

    @Test
    void staysWhileWorkComesDuringPolling() {
        spin.idleFor(1_000);
        spin.idleFor(MAX);
        assertThat(spin.nanos()).isEqualTo(MAX);
    }

    @Test
    void sleepsAtOnceAfterAnIdleTimeThatPollingCouldNotCatch() {
        spin.idleFor(MAX + 1);
        assertThat(spin.nanos()).isZero();
    }

    @Test
    void growsStepByStepUntilPollingCatchesTheWork() {
        spin.idleFor(MAX + 1);
        for (long expected : new long[] {4_000, 8_000, 16_000}) {
            spin.idleFor(10_000);
            assertThat(spin.nanos()).isEqualTo(expected);
        }
        spin.idleFor(10_000);
        assertThat(spin.nanos()).isEqualTo(16_000);
        spin.idleFor(20_000);
        assertThat(spin.nanos()).isEqualTo(MAX);
    }

    @Test
    void neverPollsWhenItMayNot() {
        SpinTime never = new SpinTime(0);
        never.idleFor(1);
        assertThat(never.nanos()).isZero();
    }

    @Test
    void neverSleepsWhenItShallNot() {
        SpinTime always = new SpinTime(EpollRunner.ALWAYS_POLL);
        always.idleFor(Long.MAX_VALUE - 1);
        assertThat(always.nanos()).isEqualTo(EpollRunner.ALWAYS_POLL);
    }
}
