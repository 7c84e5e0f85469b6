package org.anyvirt.virtio.queue;

import org.anyvirt.virtio.memory.BusMemory;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.spec.Features;

/** The device's half of a split virtqueue. Data plane. */
final class SplitVirtqueue implements DeviceVirtqueue {
    private final int index;
    private final QueueLayout layout;

    SplitVirtqueue(
            int index,
            QueueLayout layout,
            QueuePosition position,
            Features accepted,
            BusMemory memory,
            Runnable wake)
            throws UnmappedRangeException {
        this.index = index;
        this.layout = layout;
    }

    @Override
    public int index() {
        return index;
    }

    @Override
    public int size() {
        return layout.size();
    }

    @Override
    public int take(Chain[] into, int max) throws MalformedChainException {
        return 0;
    }

    @Override
    public void complete(Chain chain, long written) {}

    @Override
    public boolean completeFrom(long token, long written) {
        return false;
    }

    @Override
    public int inFlight() {
        return 0;
    }

    @Override
    public int reapHandedOver() {
        return 0;
    }

    @Override
    public boolean flush() {
        return false;
    }

    @Override
    public void disarm() {}

    @Override
    public boolean arm() {
        return false;
    }

    @Override
    public QueuePosition position() {
        return QueuePosition.SPLIT_START;
    }

    @Override
    public void rebind(Runnable released) throws UnmappedRangeException {
        released.run();
    }

    @Override
    public void close() {}
}
