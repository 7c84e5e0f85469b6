package org.anyvirt.virtio.device;

import java.util.List;
import org.anyvirt.virtio.queue.Virtqueue;
import org.anyvirt.virtio.spec.DeviceId;
import org.anyvirt.virtio.spec.Features;

/**
 * A VirtIO device: what a device author writes. It knows no hypervisor, no transport and no guest
 * address.
 *
 * <p>Control plane, except for the {@link QueueHandler}s that {@link #start} returns.
 */
public interface Device extends AutoCloseable {
    DeviceId id();

    /**
     * The features of this device type that it offers, with any of the ring's that it limits.
     * {@link DeviceModel} adds what every device gets from the rings.
     */
    Features offered();

    /** The virtqueues, by index. */
    List<VirtqueueSpec> virtqueues();

    ConfigSpace config();

    /**
     * The driver accepted features; for what must be right in the configuration space before the
     * first queue starts. It may come again, also with queues started.
     */
    default void accepted(Features features) {}

    /**
     * Starts serving a queue. Queues start and stop one by one and in any order; without a device
     * status in the transport there is no moment when all have started.
     *
     * @param accepted what the driver accepted, of all that was offered
     * @return the queue's handler; the runner that owns the queue calls it from now on
     */
    QueueHandler start(int index, Virtqueue queue, Features accepted);

    /** What another instance needs to go on, beyond the rings; empty when there is nothing. */
    default byte[] save() {
        return new byte[0];
    }

    /** Takes over what {@link #save} of another instance returned. */
    default void restore(byte[] state) {
        if (state.length != 0) {
            throw new IllegalArgumentException(
                    id() + " has no state to restore, but got " + state.length + " bytes");
        }
    }

    /** Back to the state before the driver came. All queues have stopped. */
    void reset();

    @Override
    void close();
}
