package org.anyvirt.virtio.queue;

import org.anyvirt.virtio.memory.UnmappedRangeException;

/**
 * A virtqueue as the runner that owns it sees it: what {@link Virtqueue} is to the device, and what
 * goes on around the device's turn.
 *
 * <p>Data plane; every method is called on the runner's thread.
 */
public sealed interface DeviceVirtqueue extends Virtqueue permits SplitVirtqueue, PackedVirtqueue {
    /**
     * Completes the chains that other threads handed over.
     *
     * @return how many
     */
    int reapHandedOver();

    /**
     * Makes the completions since the last flush visible to the driver.
     *
     * @return whether the driver asked for a used buffer notification (VIRTIO 1.3, 2.7.7, 2.8.10);
     *     false when there were none
     */
    boolean flush();

    /** Counts the buffers that were made visible to the driver as used. */
    long usedBuffers();

    /** Asks the driver for no available buffer notifications: the runner is polling. */
    void disarm();

    /**
     * Asks the driver for available buffer notifications again.
     *
     * @return whether buffers have come meanwhile that the device waits for, so that the runner
     *     must not sleep: the last {@link #take} ran dry. A device that stopped before, because it
     *     has enough to do, goes on when its own work wakes it; a take that stopped at pending
     *     memory, when that is there
     */
    boolean arm();

    /** Where the device stands; complete when nothing is in flight and all is flushed. */
    QueuePosition position();

    /**
     * The memory has changed: finds the ring areas again, and lets go of the old memory.
     *
     * @param released is called on this thread, once, when no chain taken before is in flight any
     *     more; also when this method throws, and when the queue is closed meanwhile
     * @throws UnmappedRangeException when a ring area is no longer shared. The queue touches no
     *     ring any more and must stop; chains in flight can still be completed
     */
    void rebind(Runnable released) throws UnmappedRangeException;

    /** Makes all tokens stale and unpins what is pinned; no ring is touched any more. */
    void close();
}
