package org.anyvirt.virtio.queue;

/**
 * Where a driver placed a virtqueue, in bus addresses (VIRTIO 1.3, 2.6).
 *
 * @param size the number of descriptors; for a split ring a power of two, at most 32768
 * @param descriptorArea descriptor table (split), descriptor ring (packed)
 * @param driverArea available ring (split), driver event suppression (packed)
 * @param deviceArea used ring (split), device event suppression (packed)
 */
public record QueueLayout(int size, long descriptorArea, long driverArea, long deviceArea) {}
