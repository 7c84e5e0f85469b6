package org.anyvirt.virtio.device;

/** From a started queue to its transport. Called on the runner's thread; must not block. */
public interface QueueSignals {
    /** Sends the driver a used buffer notification. */
    void usedBuffers();

    /** The queue is broken until it is reset. */
    void broken(String reason);
}
