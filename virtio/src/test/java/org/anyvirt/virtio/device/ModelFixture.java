package org.anyvirt.virtio.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.anyvirt.virtio.queue.QueueLayout;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.raw.Element;
import org.anyvirt.virtio.raw.GuestMemory;
import org.anyvirt.virtio.raw.RawSplitRing;

/** A device of two queues, served by a runner that the test steps. */
abstract class ModelFixture {
    static final int NOTIFICATION_FD = 50;

    final GuestMemory guest = new GuestMemory(1 << 16);
    final long data = guest.allocate(64, 16);
    final StepRunner runner = new StepRunner();
    final EchoDevice device = new EchoDevice();
    final DeviceModel model = new DeviceModel("test", device, guest.bus(), List.of(runner));
    final RawSplitRing[] rings = {new RawSplitRing(guest, 8), new RawSplitRing(guest, 8)};
    final Signals[] signals = {new Signals(), new Signals()};

    static final class Signals implements QueueSignals {
        final List<String> broken = new ArrayList<>();
        int used;

        @Override
        public void usedBuffers() {
            used++;
        }

        @Override
        public void broken(String reason) {
            broken.add(reason);
        }
    }

    void start(int index) throws Exception {
        start(index, QueuePosition.SPLIT_START);
    }

    void start(int index, QueuePosition position) throws Exception {
        CompletableFuture<Void> started =
                model.startQueue(index, queueStart(rings[index].layout(), position, index));
        runner.run();
        assertThat(started).isCompleted();
    }

    QueueStart queueStart(QueueLayout layout, QueuePosition position, int index) {
        return new QueueStart(layout, position, NOTIFICATION_FD + index, signals[index]);
    }

    void request(int index) {
        guest.at(data, 1).set(ValueLayout.JAVA_BYTE, 0, (byte) 42);
        rings[index].offer(Element.readable(data, 1), Element.writable(data + 32, 1));
    }
}
