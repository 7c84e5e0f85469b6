package org.anyvirt.virtio.queue;

/**
 * Where a device stands in a ring, so that another activation, or another process, can go on.
 *
 * <p>For a split ring the two values are the free-running 16-bit indexes of the next available
 * entry to take and the next used entry to write. For a packed ring bits 0 to 14 are the offset in
 * the ring and bit 15 is the wrap counter, as in VIRTIO 1.3, 2.8.
 *
 * @param available the next available entry
 * @param used the next used entry
 */
public record QueuePosition(int available, int used) {
    /** The start of a split ring. */
    public static final QueuePosition SPLIT_START = new QueuePosition(0, 0);

    /** The start of a packed ring: both wrap counters are 1. */
    public static final QueuePosition PACKED_START = new QueuePosition(1 << 15, 1 << 15);
}
