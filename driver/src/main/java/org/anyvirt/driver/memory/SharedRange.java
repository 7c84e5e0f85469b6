package org.anyvirt.driver.memory;

import java.lang.foreign.MemorySegment;

/**
 * A range of the memory that a driver shares with its device.
 *
 * @param address where the device finds it: a bus address
 * @param memory where this process finds it, of exactly the range's length
 */
public record SharedRange(long address, MemorySegment memory) {
    /** In bytes. */
    public long size() {
        return memory.byteSize();
    }

    /** The part of {@code length} bytes from {@code offset} on. */
    public SharedRange slice(long offset, long length) {
        return new SharedRange(address + offset, memory.asSlice(offset, length));
    }
}
