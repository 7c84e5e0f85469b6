package org.anyvirt.transports.vhostuser;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.anyvirt.virtio.device.ConfigSpace;
import org.anyvirt.virtio.device.Device;
import org.anyvirt.virtio.device.QueueHandler;
import org.anyvirt.virtio.device.VirtqueueSpec;
import org.anyvirt.virtio.queue.Chain;
import org.anyvirt.virtio.queue.MalformedChainException;
import org.anyvirt.virtio.queue.Virtqueue;
import org.anyvirt.virtio.spec.DeviceId;
import org.anyvirt.virtio.spec.Features;

/** Answers eight bytes with their complement; at once, or when a test says so. */
final class TestDevice implements Device {
    static final int QUEUES = 3;

    final ConfigSpace config = new ConfigSpace(new byte[] {1, 2, 3, 4, 5, 6, 7, 8}, i -> i == 7);
    final AtomicInteger resets = new AtomicInteger();
    final List<Integer> starts = Collections.synchronizedList(new ArrayList<>());
    final AtomicInteger held = new AtomicInteger();

    /** Keep what is taken in flight. */
    volatile boolean hold;

    volatile Features offered = Features.NONE;

    @Override
    public DeviceId id() {
        return DeviceId.BLOCK;
    }

    @Override
    public Features offered() {
        return offered;
    }

    @Override
    public List<VirtqueueSpec> virtqueues() {
        return Collections.nCopies(QUEUES, new VirtqueueSpec("testq", 256));
    }

    @Override
    public ConfigSpace config() {
        return config;
    }

    @Override
    public QueueHandler start(int index, Virtqueue queue, Features accepted) {
        starts.add(index);
        return new Handler(queue);
    }

    @Override
    public void reset() {
        resets.incrementAndGet();
    }

    @Override
    public void close() {}

    private final class Handler implements QueueHandler {
        private final Virtqueue queue;
        private final Chain[] taken = new Chain[8];
        private final List<Chain> waiting = new ArrayList<>();
        private final MemorySegment scratch = Arena.ofAuto().allocate(8);
        private boolean cancelled;

        Handler(Virtqueue queue) {
            this.queue = queue;
        }

        @Override
        public int poll(int budget) throws MalformedChainException {
            int work = 0;
            if (!cancelled) {
                int count = queue.take(taken, taken.length);
                for (int i = 0; i < count; i++) {
                    waiting.add(taken[i]);
                }
                held.addAndGet(count);
                work += count;
            }
            if (!hold) {
                for (Chain chain : waiting) {
                    chain.readable().get(0, scratch, 0, 8);
                    scratch.set(ValueLayout.JAVA_LONG, 0, ~scratch.get(ValueLayout.JAVA_LONG, 0));
                    chain.writable().put(0, scratch, 0, 8);
                    queue.complete(chain, 8);
                    work++;
                }
                held.addAndGet(-waiting.size());
                waiting.clear();
            }
            return work;
        }

        @Override
        public void cancel() {
            cancelled = true;
        }
    }
}
