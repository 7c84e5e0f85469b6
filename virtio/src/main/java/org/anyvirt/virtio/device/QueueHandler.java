package org.anyvirt.virtio.device;

import org.anyvirt.virtio.queue.MalformedChainException;

/**
 * The device's half of one started queue.
 *
 * <p>Data plane: called only on the thread of the runner that owns the queue; never blocks.
 */
public interface QueueHandler {
    /**
     * Takes chains, submits their work, and reaps what has completed.
     *
     * @param budget the most chains to take in this turn, so that queues that share a runner get
     *     their turns
     * @return how many chains were taken and completed; 0 when idle
     */
    int poll(int budget) throws MalformedChainException;

    /** A file descriptor that becomes readable when own work has completed, or -1. */
    default int wakeFd() {
        return -1;
    }

    /**
     * Takes no more chains: {@link #poll} only finishes what is in flight. The queue has stopped
     * when nothing is.
     */
    void cancel();

    /** The queue has stopped; frees what belongs to it. Called once, on the runner's thread. */
    default void close() {}
}
