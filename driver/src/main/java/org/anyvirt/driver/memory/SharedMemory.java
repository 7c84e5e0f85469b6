package org.anyvirt.driver.memory;

/** Memory that a driver shares with its device, given out piece by piece. Control plane. */
public interface SharedMemory {
    /**
     * Gives out a range, contiguous for both sides and filled with zeros.
     *
     * @param size in bytes, at least 1
     * @param alignment of the bus address, in bytes; a power of two
     * @throws IllegalStateException when no such range is left
     */
    SharedRange allocate(long size, long alignment);
}
