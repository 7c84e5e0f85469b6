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
        idle(SpinTime.FIRST_PAUSE, 10_000);
        for (long expected : new long[] {4_000, 8_000, 16_000}) {
            assertThat(spin.nanos()).isLessThan(expected);
            spin.idleFor(10_000);
            assertThat(spin.nanos()).isEqualTo(expected);
        }
        spin.idleFor(10_000);
        assertThat(spin.nanos()).isEqualTo(16_000);
        spin.idleFor(20_000);
        assertThat(spin.nanos()).isEqualTo(MAX);
    }

    @Test
    void pausesTwiceAsLongEachTimeThatPollingFails() {
        for (int pause = SpinTime.FIRST_PAUSE; pause <= SpinTime.LAST_PAUSE; pause *= 2) {
            assertThat(idleTimesUntilPolling()).isEqualTo(pause + 1);
        }
        assertThat(idleTimesUntilPolling()).isEqualTo(SpinTime.LAST_PAUSE + 1);
    }

    @Test
    void forgetsFailuresWhenPollingPays() {
        idleTimesUntilPolling();
        idleTimesUntilPolling();
        spin.idleFor(SpinTime.FIRST_NANOS);
        assertThat(idleTimesUntilPolling()).isEqualTo(SpinTime.FIRST_PAUSE + 1);
    }

    private int idleTimesUntilPolling() {
        spin.idleFor(MAX + 1);
        int times = 0;
        while (spin.nanos() == 0) {
            spin.idleFor(1_000);
            times++;
        }
        return times;
    }

    private void idle(int times, long nanos) {
        for (int i = 0; i < times; i++) {
            spin.idleFor(nanos);
        }
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
