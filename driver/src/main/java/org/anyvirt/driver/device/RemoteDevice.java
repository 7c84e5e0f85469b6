package org.anyvirt.driver.device;

import java.io.IOException;
import org.anyvirt.driver.memory.SharedMemory;
import org.anyvirt.driver.queue.DriverQueue;
import org.anyvirt.driver.queue.QueueNotifications;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.spec.Features;

/**
 * A device as its driver reaches it, through whatever transport. Control plane, one thread; each
 * started queue belongs to the thread that uses it.
 */
public interface RemoteDevice extends AutoCloseable {
    /** All that the device offers. */
    Features offered();

    /**
     * Accepts features, before any queue starts.
     *
     * @throws IllegalArgumentException when one was not offered
     */
    void accept(Features features) throws IOException;

    Features accepted();

    /** The memory that the device can reach; rings and buffers come from here. */
    SharedMemory memory();

    /** The most queues that the device has. */
    int queuesMax();

    /** Reads the configuration space. */
    byte[] readConfig(int offset, int length) throws IOException;

    /** Writes the configuration space. */
    void writeConfig(int offset, byte[] values) throws IOException;

    /** Calls {@code listener} after each change that the device announces, from any thread. */
    void onConfigChange(Runnable listener);

    /** Starts a queue where {@link DriverQueue#position} says. */
    QueueNotifications start(int index, DriverQueue queue) throws IOException;

    /** The driver is ready to drive: DRIVER_OK, where the transport carries a device status. */
    void ready() throws IOException;

    /**
     * Stops a queue.
     *
     * @return where the device stood
     */
    QueuePosition stop(int index) throws IOException;

    /** Lets the device go. */
    @Override
    void close();
}
