package org.anyvirt.virtio.memory;

import java.lang.foreign.MemorySegment;

/**
 * The memory that a driver shares with its device, by bus address.
 *
 * <p>Bus addresses are opaque: guest-physical, an IOMMU's, a grant reference. Whoever owns the
 * memory (a transport's memory table, a hypervisor) changes it on the control plane; queues resolve
 * on their runner's thread. Data plane: no method here allocates once its buffers have grown.
 */
public interface BusMemory {
    /**
     * Appends the fragments of {@code [address, address + length)} to {@code into}, in order, and
     * pins them.
     *
     * @param length in bytes, at least 1; the check of {@code address + length} is overflow-safe
     * @return on {@code FAULT} and {@code PENDING}, {@code into} is as it was
     */
    Resolution resolve(long address, long length, Access access, Buffers into);

    /** Unpins what {@code buffers} holds; copies go back to the driver here. */
    void release(Buffers buffers);

    /**
     * The memory of a ring area: contiguous, pinned until its queue stops.
     *
     * @throws UnmappedRangeException naming the range, when it is not wholly in one shared region
     */
    MemorySegment ringArea(long address, long length, Access access) throws UnmappedRangeException;
}
