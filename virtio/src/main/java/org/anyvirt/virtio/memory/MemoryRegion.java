package org.anyvirt.virtio.memory;

import java.lang.foreign.MemorySegment;

/**
 * Memory that a driver shares, at a range of bus addresses.
 *
 * @param busAddress where it starts; unsigned
 * @param size in bytes, at least 1; the region ends at 2^64 or below
 * @param memory at least {@code size} bytes, of which the first is at {@code busAddress}; when it
 *     is read-only the device can write nothing there
 */
public record MemoryRegion(long busAddress, long size, MemorySegment memory) {
    public MemoryRegion {
        if (size < 1) {
            throw new IllegalArgumentException(
                    "memory region at 0x%x: a size of %d bytes".formatted(busAddress, size));
        }
        if (Long.compareUnsigned(busAddress + (size - 1), busAddress) < 0) {
            throw new IllegalArgumentException(
                    "memory region [0x%x, +0x%x) goes beyond 2^64".formatted(busAddress, size));
        }
        if (memory.byteSize() < size) {
            throw new IllegalArgumentException(
                    "memory region [0x%x, +0x%x), but only 0x%x bytes of memory"
                            .formatted(busAddress, size, memory.byteSize()));
        }
    }

    /** The range, for logs: {@code [0x1000, +0x200)}. */
    @Override
    public String toString() {
        return "[0x%x, +0x%x)".formatted(busAddress, size);
    }
}
