package org.anyvirt.driver.queue;

/** Told of each chain that the device has used. */
@FunctionalInterface
public interface UsedBuffers {
    /**
     * @param token the one that the chain was added with
     * @param written bytes that the device wrote to the device-writable elements, from their start;
     *     for a chain that an in-order device skipped over, all of them (VIRTIO 1.3, 2.7.9)
     */
    void used(long token, long written);
}
