package org.anyvirt.virtio.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CompletableFuture;
import org.anyvirt.virtio.memory.RegionTable;
import org.anyvirt.virtio.queue.QueuePosition;
import org.junit.jupiter.api.Test;

/** Queues that break, and memory that changes under them. */
class BrokenQueueTest extends ModelFixture {
    @Test
    void breaksAQueueUntilItIsStoppedAndStartedAgain() throws Exception {
        start(0);
        device.started.getFirst().holds = true;
        request(0);
        runner.run();
        rings[0].available(99);
        runner.run();

        assertThat(signals[0].broken).hasSize(1).first().asString().contains("head 99");
        assertThat(model.counters(0).broken()).contains("head 99");
        assertThat(device.started.getFirst().cancelled).isTrue();

        request(0);
        device.started.getFirst().holds = false;
        runner.run();
        assertThat(rings[0].poll()).as("in flight before").isNotNull();
        assertThat(rings[0].poll()).as("after the violation").isNull();
        assertThat(signals[0].broken).hasSize(1);

        CompletableFuture<QueuePosition> stopped = model.stopQueue(0);
        runner.run();
        assertThat(stopped).isCompletedWithValue(new QueuePosition(1, 1));
        rings[0].availableIdx(1);
        request(0);
        start(0, stopped.join());
        runner.run();
        assertThat(rings[0].poll()).isNotNull();
        assertThat(model.counters(0).broken()).isNull();
    }

    @Test
    void breaksOnlyTheQueueWhoseMemoryIsTakenAway() throws Exception {
        start(0);
        start(1);
        EchoDevice.Handler lost = device.started.getFirst();
        lost.holds = true;
        request(0);
        runner.run();
        lost.fails = new InternalError("a fault occurred in an unsafe memory access");
        request(1);
        runner.run();

        assertThat(signals[0].broken).hasSize(1).first().asString().contains("taken away");
        assertThat(lost.closed).as("nothing touches the memory any more").isEqualTo(1);
        assertThat(model.counters(0).inFlight()).isZero();
        assertThat(rings[1].poll()).isNotNull();
        assertThat(signals[1].broken).isEmpty();

        CompletableFuture<QueuePosition> stopped = model.stopQueue(0);
        runner.run();
        assertThat(stopped).isCompleted();
        assertThat(lost.closed).isEqualTo(1);
        assertThat(runner.turns).hasSize(1);
    }

    @Test
    void breaksAQueueByADefectOfItsDevice() throws Exception {
        start(0);
        device.started.getFirst().fails = new AssertionError("a defect");
        request(0);
        runner.run();

        assertThat(signals[0].broken).hasSize(1).first().asString().contains("a defect");
    }

    @Test
    void endsAStopThatWaitsForAQueueThatFails() throws Exception {
        start(0);
        EchoDevice.Handler handler = device.started.getFirst();
        handler.holds = true;
        request(0);
        runner.run();
        CompletableFuture<QueuePosition> stopped = model.stopQueue(0);
        runner.run();
        assertThat(stopped).isNotDone();

        handler.fails = new InternalError("gone");
        runner.run();
        assertThat(stopped).isCompleted();
        assertThat(runner.turns).isEmpty();
    }

    @Test
    void saysThatMemoryIsReleasedAfterTheLastOldChain() throws Exception {
        start(0);
        start(1);
        EchoDevice.Handler handler = device.started.getFirst();
        handler.holds = true;
        request(0);
        runner.run();

        CompletableFuture<Void> released = model.memoryChanged();
        runner.run();
        request(0);
        runner.run();
        assertThat(released).isNotDone();

        handler.queue.completeFrom(handler.held.removeFirst().token(), 0);
        runner.run();
        assertThat(released).as("one taken after is still in flight").isCompleted();
        assertThat(model.counters(0).inFlight()).isEqualTo(1);
    }

    @Test
    void waitsForADrainingQueueBeforeMemoryIsReleased() throws Exception {
        start(0);
        EchoDevice.Handler handler = device.started.getFirst();
        handler.holds = true;
        request(0);
        runner.run();
        model.stopQueue(0);

        CompletableFuture<Void> released = model.memoryChanged();
        runner.run();
        assertThat(released).isNotDone();

        handler.holds = false;
        runner.run();
        assertThat(released).isCompleted();
        assertThat(model.memoryChanged()).as("nothing is started").isCompleted();
    }

    @Test
    void breaksAQueueWhoseRingIsGoneAndWaitsForWhatIsInFlight() throws Exception {
        start(0);
        EchoDevice.Handler handler = device.started.getFirst();
        handler.holds = true;
        request(0);
        runner.run();
        guest.bus().replace(RegionTable.EMPTY);
        CompletableFuture<Void> released = model.memoryChanged();
        runner.run();

        assertThat(signals[0].broken).hasSize(1).first().asString().contains("ring is gone");
        assertThat(released).isNotDone();

        handler.holds = false;
        runner.run();
        assertThat(released).isCompleted();
        assertThat(rings[0].poll()).as("the ring is not touched").isNull();
    }

    @Test
    void releasesMemoryOfAQueueThatFailsWhileItIsInUse() throws Exception {
        start(0);
        EchoDevice.Handler handler = device.started.getFirst();
        handler.holds = true;
        request(0);
        runner.run();
        CompletableFuture<Void> released = model.memoryChanged();
        runner.run();
        assertThat(released).isNotDone();

        handler.fails = new InternalError("gone");
        runner.run();
        assertThat(released).isCompleted();
        CompletableFuture<Void> next = model.memoryChanged();
        runner.run();
        assertThat(next).isCompleted();
    }
}
