package org.anyvirt.virtio.device;

import java.util.ArrayList;
import java.util.List;
import org.anyvirt.virtio.queue.Chain;
import org.anyvirt.virtio.queue.MalformedChainException;
import org.anyvirt.virtio.queue.Virtqueue;
import org.anyvirt.virtio.spec.DeviceId;
import org.anyvirt.virtio.spec.Features;

/** A device that answers the first byte of each request, when the test lets it. */
final class EchoDevice implements Device {
    static final int FEATURE = 7;

    final List<Handler> started = new ArrayList<>();
    final ConfigSpace config = new ConfigSpace(new byte[8], offset -> false);
    Features acceptedAtStart;
    int resets;
    boolean refusesToStart;

    @Override
    public DeviceId id() {
        return DeviceId.BLOCK;
    }

    @Override
    public Features offered() {
        return Features.of(FEATURE);
    }

    @Override
    public List<VirtqueueSpec> virtqueues() {
        return List.of(new VirtqueueSpec("firstq", 16), new VirtqueueSpec("secondq", 16));
    }

    @Override
    public ConfigSpace config() {
        return config;
    }

    @Override
    public QueueHandler start(int index, Virtqueue queue, Features accepted) {
        if (refusesToStart) {
            throw new IllegalStateException("not today");
        }
        acceptedAtStart = accepted;
        Handler handler = new Handler(queue);
        started.add(handler);
        return handler;
    }

    @Override
    public void reset() {
        resets++;
    }

    @Override
    public void close() {}

    static final class Handler implements QueueHandler {
        final Virtqueue queue;
        final List<Chain> held = new ArrayList<>();
        boolean holds;
        boolean cancelled;
        int closed;
        Error fails;
        private final Chain[] batch = new Chain[4];

        Handler(Virtqueue queue) {
            this.queue = queue;
        }

        @Override
        public int poll(int budget) throws MalformedChainException {
            if (fails != null) {
                throw fails;
            }
            int taken = cancelled ? 0 : queue.take(batch, Math.min(budget, batch.length));
            for (int i = 0; i < taken; i++) {
                held.add(batch[i]);
            }
            int work = taken;
            while (!holds && !held.isEmpty()) {
                Chain chain = held.removeFirst();
                chain.writable().putByte(0, chain.readable().getByte(0));
                queue.complete(chain, 1);
                work++;
            }
            return work;
        }

        @Override
        public int wakeFd() {
            return 1000 + queue.index();
        }

        @Override
        public void cancel() {
            cancelled = true;
        }

        @Override
        public void close() {
            closed++;
        }
    }
}
