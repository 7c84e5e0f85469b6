package org.anyvirt.virtio.raw;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.anyvirt.virtio.memory.MemoryRegion;
import org.anyvirt.virtio.memory.PremappedMemory;
import org.anyvirt.virtio.memory.RegionTable;

/** One region of memory that a driver shares, from which a test allocates. */
public final class GuestMemory {
    /** Where it starts: not zero, so that bus addresses are no offsets. */
    public static final long BASE = 0x4000_0000L;

    private final MemorySegment memory;
    private final PremappedMemory bus;
    private long next;

    public GuestMemory(long size) {
        memory = Arena.ofAuto().allocate(size, 4096);
        bus = new PremappedMemory(RegionTable.of(region()));
    }

    public MemoryRegion region() {
        return new MemoryRegion(BASE, memory.byteSize(), memory);
    }

    public PremappedMemory bus() {
        return bus;
    }

    public MemorySegment memory() {
        return memory;
    }

    /** Returns a bus address. */
    public long allocate(long size, long alignment) {
        next = (next + alignment - 1) & -alignment;
        long at = next;
        next += size;
        memory.asSlice(at, size).fill((byte) 0);
        return BASE + at;
    }

    /** The memory at a bus address. */
    public MemorySegment at(long address, long size) {
        return memory.asSlice(address - BASE, size);
    }
}
