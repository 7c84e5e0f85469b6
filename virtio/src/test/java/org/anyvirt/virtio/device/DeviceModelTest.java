package org.anyvirt.virtio.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.ValueLayout;
import java.util.concurrent.CompletableFuture;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.queue.QueueLayout;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.raw.Used;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;
import org.junit.jupiter.api.Test;

/** The VirtIO operations. */
class DeviceModelTest extends ModelFixture {
    @Test
    void offersTheDevicesFeaturesAndTheRings() {
        assertThat(model.offered())
                .isEqualTo(
                        Features.of(
                                EchoDevice.FEATURE,
                                FeatureBits.VIRTIO_F_INDIRECT_DESC,
                                FeatureBits.VIRTIO_F_EVENT_IDX,
                                FeatureBits.VIRTIO_F_VERSION_1,
                                FeatureBits.VIRTIO_F_RING_PACKED));
    }

    @Test
    void refusesFeaturesThatWereNotOfferedAndKeepsWhatWasAccepted() throws Exception {
        model.negotiate(Features.of(EchoDevice.FEATURE));

        assertThatThrownBy(() -> model.negotiate(Features.of(EchoDevice.FEATURE, 5)))
                .isInstanceOf(FeatureNegotiationException.class)
                .hasMessage(
                        "the driver accepted {5,7}, of which {5} was not offered; offered was"
                                + " {7,28,29,32,34}");
        assertThat(model.accepted()).isEqualTo(Features.of(EchoDevice.FEATURE));
    }

    @Test
    void startsAQueueWithWhatWasAccepted() throws Exception {
        model.negotiate(Features.of(EchoDevice.FEATURE, FeatureBits.VIRTIO_F_VERSION_1));

        start(1);

        assertThat(device.acceptedAtStart).isEqualTo(model.accepted());
        assertThat(model.isStarted(1)).isTrue();
        assertThat(model.isStarted(0)).isFalse();
        assertThat(runner.watched).containsExactly(1001, NOTIFICATION_FD + 1);
    }

    @Test
    void servesRequestsAndNotifiesTheDriverOnceATurn() throws Exception {
        start(0);
        for (int i = 0; i < 3; i++) {
            request(0);
        }
        runner.run();

        for (int i = 0; i < 3; i++) {
            assertThat(rings[0].poll()).isEqualTo(new Used(2 * i, 1));
        }
        assertThat(signals[0].used).isEqualTo(1);
        assertThat(guest.at(data + 32, 1).get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 42);
        assertThat(model.counters(0)).isEqualTo(new QueueCounters(3, 0, 1, 0, null));
    }

    @Test
    void countsNotificationsThatTheDriverDidNotWant() throws Exception {
        start(0);
        rings[0].wantUsed(false);
        request(0);
        runner.run();

        assertThat(signals[0].used).isZero();
        assertThat(model.counters(0)).isEqualTo(new QueueCounters(1, 0, 0, 1, null));
    }

    @Test
    void asksForNotificationsWhenItSleepsAndForNoneWhenItWorks() throws Exception {
        start(0);
        assertThat(rings[0].usedFlags()).as("asleep").isZero();
        device.started.get(0).holds = true;
        request(0);
        runner.turns.getFirst().run();
        assertThat(rings[0].usedFlags()).as("polling").isEqualTo(1);
        runner.run();
        assertThat(rings[0].usedFlags()).as("asleep").isZero();
    }

    @Test
    void startsAndStopsQueuesOneByOne() throws Exception {
        start(1);
        start(0);
        CompletableFuture<QueuePosition> stopped = model.stopQueue(1);
        runner.run();
        assertThat(stopped).isCompletedWithValue(QueuePosition.SPLIT_START);

        request(0);
        request(1);
        runner.run();
        assertThat(rings[0].poll()).isNotNull();
        assertThat(rings[1].poll()).as("stopped").isNull();
        assertThat(device.started.get(0).closed).isEqualTo(1);
        assertThat(device.started.get(1).closed).isZero();
        assertThat(runner.watched).containsExactly(1000, NOTIFICATION_FD);

        start(1);
        runner.run();
        assertThat(rings[1].poll()).as("started again").isNotNull();
    }

    @Test
    void drainsBeforeAStopIsComplete() throws Exception {
        start(0);
        EchoDevice.Handler handler = device.started.getFirst();
        handler.holds = true;
        request(0);
        request(0);
        runner.run();

        CompletableFuture<QueuePosition> stopped = model.stopQueue(0);
        request(0);
        runner.run();
        assertThat(stopped).isNotDone();
        assertThat(model.isStarted(0)).isFalse();
        assertThat(handler.cancelled).isTrue();
        assertThat(handler.closed).isZero();

        handler.holds = false;
        runner.run();
        assertThat(stopped).isCompletedWithValue(new QueuePosition(2, 2));
        assertThat(rings[0].poll()).isNotNull();
        assertThat(rings[0].poll()).isNotNull();
        assertThat(rings[0].poll()).as("not taken").isNull();
        assertThat(handler.closed).isEqualTo(1);
        assertThat(runner.turns).isEmpty();
        assertThat(runner.watched).isEmpty();
    }

    @Test
    void goesOnWhereAQueueStopped() throws Exception {
        start(0);
        request(0);
        runner.run();
        rings[0].poll();
        CompletableFuture<QueuePosition> stopped = model.stopQueue(0);
        runner.run();

        request(0);
        start(0, stopped.join());
        runner.run();
        assertThat(rings[0].poll()).isNotNull();
    }

    @Test
    void answersAtOnceForAQueueThatIsNotStarted() throws Exception {
        assertThat(model.stopQueue(0)).isCompletedWithValue(null);

        start(0);
        CompletableFuture<QueuePosition> first = model.stopQueue(0);
        CompletableFuture<QueuePosition> again = model.stopQueue(0);
        runner.run();
        assertThat(first).isCompletedWithValue(QueuePosition.SPLIT_START);
        assertThat(again).isCompletedWithValue(QueuePosition.SPLIT_START);
        assertThat(model.stopQueue(0)).isCompletedWithValue(null);
        assertThat(device.started.getFirst().closed).isEqualTo(1);
    }

    @Test
    void refusesToStartAQueueTwiceOrWhileItDrains() throws Exception {
        start(0);
        device.started.getFirst().holds = true;
        request(0);
        runner.run();
        assertThatThrownBy(() -> start(0))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("test queue 0 is started already");

        model.stopQueue(0);
        runner.run();
        assertThatThrownBy(() -> start(0)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void refusesQueuesThatAreTooLongOrNowhere() {
        assertThatThrownBy(() ->
                        model.startQueue(
                                0,
                                queueStart(
                                        new QueueLayout(32, 0, 0, 0),
                                        QueuePosition.SPLIT_START,
                                        0)))
                .hasMessage("test queue 0 has at most 16 descriptors, not 32");
        assertThatThrownBy(() ->
                        model.startQueue(
                                0,
                                queueStart(
                                        new QueueLayout(16, 0, 0, 0),
                                        QueuePosition.SPLIT_START,
                                        0)))
                .isInstanceOf(UnmappedRangeException.class);
        assertThat(model.isStarted(0)).isFalse();
        assertThat(device.started).isEmpty();
    }

    @Test
    void leavesAQueueStoppedThatTheDeviceRefusesToStart() throws Exception {
        device.refusesToStart = true;
        assertThatThrownBy(() -> start(0)).hasMessage("not today");
        assertThat(model.isStarted(0)).isFalse();

        device.refusesToStart = false;
        start(0);
        assertThat(model.isStarted(0)).isTrue();
    }

    @Test
    void saysWhenANotificationDescriptorCannotWakeTheRunner() throws Exception {
        runner.refuse(NOTIFICATION_FD);
        CompletableFuture<Void> started =
                model.startQueue(0, queueStart(rings[0].layout(), QueuePosition.SPLIT_START, 0));
        runner.run();

        assertThat(started)
                .isCompletedExceptionally()
                .satisfies(future ->
                        assertThatThrownBy(future::join).hasMessageContaining("cannot watch 50"));
        assertThat(model.stopQueue(0)).satisfies(stopped -> runner.run()).isCompleted();
        assertThat(runner.turns).isEmpty();
    }

    @Test
    void changesWhatWakesAQueue() throws Exception {
        start(0);
        CompletableFuture<Void> changed = model.notificationFd(0, 77);
        runner.run();
        assertThat(changed).isCompleted();
        assertThat(runner.watched).containsExactly(1000, 77);

        model.notificationFd(0, -1);
        runner.run();
        assertThat(runner.watched).containsExactly(1000);
    }

    @Test
    void resetsTheDeviceWhenEveryQueueHasStopped() throws Exception {
        model.negotiate(Features.of(EchoDevice.FEATURE));
        start(0);
        start(1);
        EchoDevice.Handler handler = device.started.getFirst();
        handler.holds = true;
        request(0);
        runner.run();
        model.stopQueue(0);

        CompletableFuture<Void> reset = model.reset();
        runner.run();
        assertThat(reset).isNotDone();
        assertThat(device.resets).isZero();

        handler.holds = false;
        runner.run();
        assertThat(reset).isCompleted();
        assertThat(device.resets).isEqualTo(1);
        assertThat(model.accepted()).isEqualTo(Features.NONE);
        assertThat(model.counters(0)).isNull();
    }

    @Test
    void tellsWhatACommandOnTheRunnerThrew() {
        CompletableFuture<Void> done =
                model.onRunner(
                        0,
                        () -> {
                            throw new IllegalStateException("no");
                        });
        runner.run();

        assertThatThrownBy(done::join).hasRootCauseMessage("no");
    }
}
