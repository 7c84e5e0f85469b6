package org.anyvirt.virtio.device;

/**
 * A virtqueue that a device has.
 *
 * @param name as the specification calls it, for logs: {@code requestq}
 * @param maxSize the most descriptors that it can have
 */
public record VirtqueueSpec(String name, int maxSize) {}
