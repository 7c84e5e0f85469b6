package org.anyvirt.virtio.queue;

import org.anyvirt.virtio.memory.BusMemory;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/** Makes the kind of virtqueue that the driver negotiated. */
public final class Virtqueues {
    private Virtqueues() {}

    /**
     * @param wake wakes the runner that owns the queue; called from any thread
     * @throws IllegalArgumentException when the specification forbids the layout
     * @throws UnmappedRangeException when a ring area is not in shared memory
     */
    public static DeviceVirtqueue create(
            int index,
            QueueLayout layout,
            QueuePosition position,
            Features accepted,
            BusMemory memory,
            Runnable wake)
            throws UnmappedRangeException {
        return accepted.has(FeatureBits.VIRTIO_F_RING_PACKED)
                ? new PackedVirtqueue(index, layout, position, accepted, memory, wake)
                : new SplitVirtqueue(index, layout, position, accepted, memory, wake);
    }
}
