package org.anyvirt.driver.queue;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.virtio.queue.Chain;
import org.anyvirt.virtio.queue.MalformedChainException;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * One half goes to sleep at the moment when the other gives it something to do: then one of them
 * must see the other (VIRTIO 1.3, 2.7.13.4.1, 2.7.14, 2.8.21.2.1, 2.8.22). Without a full fence on
 * either side both may look before what the other wrote is visible.
 */
@Timeout(120)
class NotificationRaceTest {
    private static final int ROUNDS = 40_000;
    private static final int SPINS = 1 << 10;

    private final DriverChain chain = new DriverChain();
    private final Chain[] taken = new Chain[1];
    private volatile int driverPhase;
    private volatile int devicePhase;
    private boolean deviceSaw;
    private int lostUsed;
    private int lostAvailable;

    static List<RingVariant> variants() {
        return RingVariant.all().stream().filter(v -> !v.indirect() && !v.inOrder()).toList();
    }

    @ParameterizedTest
    @MethodSource("variants")
    void whoeverGoesToSleepIsWokenOrSeesForItself(RingVariant variant) throws Exception {
        try (RingPair pair = new RingPair(variant, 8, 1 << 20)) {
            SharedRange buffer = pair.memory.allocate(64, 64);
            chain.clear().readable(buffer.address(), 16).writable(buffer.address() + 16, 16);
            FutureTask<Void> device = new FutureTask<>(() -> deviceRounds(pair));
            Thread.ofPlatform().daemon().name("device").start(device);
            driverRounds(pair);
            device.get(60, TimeUnit.SECONDS);
            assertThat(lostAvailable).as("available buffer notifications lost").isZero();
            assertThat(lostUsed).as("used buffer notifications lost").isZero();
        }
    }

    private void driverRounds(RingPair pair) {
        for (int round = 0; round < ROUNDS; round++) {
            assertThat(pair.driver.add(chain, round)).isTrue();
            meetDevice(4 * round + 1);
            boolean notifies = pair.driver.publish();
            meetDevice(4 * round + 2);
            // The first round tells nothing: a device that starts notifies anyway.
            if (round > 0 && !notifies && !deviceSaw) {
                lostAvailable++;
            }
            pair.driver.disarm();
            meetDevice(4 * round + 3);
            boolean sees = pair.driver.arm();
            meetDevice(4 * round + 4);
            if (round > 0 && !sees && !deviceSaw) {
                lostUsed++;
            }
            assertThat(pair.driver.reap((token, written) -> {}, 1)).isOne();
        }
    }

    private Void deviceRounds(RingPair pair) throws MalformedChainException {
        for (int round = 0; round < ROUNDS; round++) {
            pair.device.disarm();
            // Finds nothing: a device that has work left need not ask for a notification.
            assertThat(pair.device.take(taken, 1)).isZero();
            meetDriver(4 * round + 1);
            deviceSaw = pair.device.arm();
            meetDriver(4 * round + 2);
            assertThat(pair.device.take(taken, 1)).isOne();
            pair.device.complete(taken[0], 16);
            meetDriver(4 * round + 3);
            deviceSaw = pair.device.flush();
            meetDriver(4 * round + 4);
        }
        return null;
    }

    private void meetDevice(int phase) {
        driverPhase = phase;
        for (int spins = 0; devicePhase < phase; spins++) {
            pause(spins);
        }
    }

    private void meetDriver(int phase) {
        devicePhase = phase;
        for (int spins = 0; driverPhase < phase; spins++) {
            pause(spins);
        }
    }

    private static void pause(int spins) {
        if (spins < SPINS) {
            Thread.onSpinWait();
        } else {
            Thread.yield();
        }
    }
}
