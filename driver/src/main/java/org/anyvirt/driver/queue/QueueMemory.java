package org.anyvirt.driver.queue;

import org.anyvirt.driver.memory.SharedMemory;
import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.virtio.queue.QueueLayout;

/**
 * The memory of a virtqueue.
 *
 * @param size the number of descriptors
 * @param descriptorArea descriptor table (split), descriptor ring (packed)
 * @param driverArea available ring (split), driver event suppression (packed)
 * @param deviceArea used ring (split), device event suppression (packed)
 * @param indirectTables one table a descriptor, or null
 * @param indirectElements descriptors in an indirect table
 */
public record QueueMemory(
        int size,
        SharedRange descriptorArea,
        SharedRange driverArea,
        SharedRange deviceArea,
        SharedRange indirectTables,
        int indirectElements) {
    static final int DESCRIPTOR_SIZE = 16;
    private static final int SIZE_MAX = 32768;

    /** A split virtqueue (VIRTIO 1.3, 2.7). */
    static QueueMemory split(SharedMemory memory, int size, int indirectElements) {
        if (size < 1 || size > SIZE_MAX || Integer.bitCount(size) != 1) {
            throw new IllegalArgumentException(
                    "a split virtqueue has a power of two up to 32768 descriptors, not " + size);
        }
        return new QueueMemory(
                size,
                memory.allocate((long) DESCRIPTOR_SIZE * size, DESCRIPTOR_SIZE),
                memory.allocate(6 + 2L * size, 2),
                memory.allocate(6 + 8L * size, 4),
                tables(memory, size, indirectElements),
                indirectElements);
    }

    /** A packed virtqueue (VIRTIO 1.3, 2.8.10.1). */
    static QueueMemory packed(SharedMemory memory, int size, int indirectElements) {
        if (size < 1 || size > SIZE_MAX) {
            throw new IllegalArgumentException(
                    "a packed virtqueue has up to 32768 descriptors, not " + size);
        }
        return new QueueMemory(
                size,
                memory.allocate((long) DESCRIPTOR_SIZE * size, DESCRIPTOR_SIZE),
                memory.allocate(4, 4),
                memory.allocate(4, 4),
                tables(memory, size, indirectElements),
                indirectElements);
    }

    /** As a transport tells it to the device. */
    public QueueLayout layout() {
        return new QueueLayout(
                size, descriptorArea.address(), driverArea.address(), deviceArea.address());
    }

    /** The offset of an indirect table in {@link #indirectTables}. */
    long tableOffset(int table) {
        return (long) table * indirectElements * DESCRIPTOR_SIZE;
    }

    /** Refuses what no driver may make available, whatever is free. */
    void check(DriverChain chain) {
        int elements = chain.elements();
        if (elements < 1 || elements > size) {
            throw new IllegalArgumentException(
                    "a chain in a queue of %d has 1 to %d elements, not %d"
                            .formatted(size, size, elements));
        }
        int indirect = elements - chain.direct();
        if (indirect > indirectElements) {
            throw new IllegalArgumentException(
                    "an indirect table of this queue has at most %d elements, not %d"
                            .formatted(indirectElements, indirect));
        }
    }

    private static SharedRange tables(SharedMemory memory, int size, int elements) {
        return elements == 0
                ? null
                : memory.allocate((long) size * elements * DESCRIPTOR_SIZE, DESCRIPTOR_SIZE);
    }
}
