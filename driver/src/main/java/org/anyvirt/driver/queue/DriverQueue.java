package org.anyvirt.driver.queue;

import org.anyvirt.driver.memory.SharedMemory;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/**
 * The driver's half of a virtqueue, written from VIRTIO 1.3, 2.7 and 2.8, and from nothing that the
 * device's half of this project knows: a misreading of either shows when they meet.
 *
 * <p>Data plane: one thread, and no method allocates. Chains are {@linkplain #add added},
 * {@linkplain #publish published} together, and {@linkplain #reap reaped} once the device has used
 * them.
 */
public sealed interface DriverQueue permits SplitDriverQueue, PackedDriverQueue {
    /**
     * Lays out an empty virtqueue.
     *
     * @param size the number of descriptors
     * @param indirectElements the most elements in an indirect table; 0 for none
     * @param accepted the features that driver and device agreed on
     */
    static DriverQueue create(
            SharedMemory memory, int size, int indirectElements, Features accepted) {
        int tables = accepted.has(FeatureBits.VIRTIO_F_INDIRECT_DESC) ? indirectElements : 0;
        return accepted.has(FeatureBits.VIRTIO_F_RING_PACKED)
                ? new PackedDriverQueue(QueueMemory.packed(memory, size, tables), accepted)
                : new SplitDriverQueue(QueueMemory.split(memory, size, tables), accepted);
    }

    /** Where the ring lies; also for tests that write into it what no driver should. */
    QueueMemory memory();

    /** Descriptors that are not part of a chain. */
    int free();

    /** Chains added and not yet reaped. */
    int outstanding();

    /**
     * Writes a chain into the ring; the device does not see it before {@link #publish}.
     *
     * @param token comes back from {@link #reap}
     * @return false, with nothing written, when there are too few free descriptors
     * @throws IllegalArgumentException when the specification forbids the chain in this queue
     */
    boolean add(DriverChain chain, long token);

    /**
     * Makes what was added since the last call available to the device.
     *
     * @return whether the device asked for an available buffer notification
     */
    boolean publish();

    /**
     * Reports used chains, in the order in which the device used them. The receiver may add chains.
     *
     * @param max at most this many; an in-order batch is not split
     * @return how many
     * @throws DeviceViolationException when the device used what it was not given
     */
    int reap(UsedBuffers into, int max);

    /** Asks the device for no used buffer notifications; it may send some all the same. */
    void disarm();

    /**
     * Asks the device for a used buffer notification when it next uses a buffer.
     *
     * @return whether it has done so meanwhile, so that the driver must not wait
     */
    boolean arm();

    /** Where a device that has used everything published, and nothing more, stands. */
    QueuePosition position();
}
