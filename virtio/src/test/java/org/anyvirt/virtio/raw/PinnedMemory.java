package org.anyvirt.virtio.raw;

import java.lang.foreign.MemorySegment;
import org.anyvirt.virtio.memory.Access;
import org.anyvirt.virtio.memory.Buffers;
import org.anyvirt.virtio.memory.BusMemory;
import org.anyvirt.virtio.memory.Resolution;
import org.anyvirt.virtio.memory.UnmappedRangeException;

/** Memory that counts its pins, and is not always there at once. */
public final class PinnedMemory implements BusMemory {
    /** Ranges of this and greater length are there, but nobody looks at them. */
    public static final long HUGE = 1L << 31;

    private final BusMemory memory;
    private int pins;
    private int resolved;
    private int pendingFrom = Integer.MAX_VALUE;

    public PinnedMemory(BusMemory memory) {
        this.memory = memory;
    }

    /** Fragments pinned now. */
    public int pins() {
        return pins;
    }

    /** After {@code count} more ranges all are pending. */
    public void pendAfter(int count) {
        pendingFrom = resolved + count;
    }

    /** All ranges are there again. */
    public void arrive() {
        pendingFrom = Integer.MAX_VALUE;
    }

    @Override
    public Resolution resolve(long address, long length, Access access, Buffers into) {
        if (resolved >= pendingFrom) {
            return Resolution.PENDING;
        }
        resolved++;
        int before = into.fragments();
        Resolution resolution = Resolution.READY;
        if (length >= HUGE) {
            into.add(MemorySegment.NULL, 0, length);
        } else {
            resolution = memory.resolve(address, length, access, into);
        }
        pins += into.fragments() - before;
        return resolution;
    }

    @Override
    public void release(Buffers buffers) {
        pins -= buffers.fragments();
    }

    @Override
    public MemorySegment ringArea(long address, long length, Access access)
            throws UnmappedRangeException {
        return memory.ringArea(address, length, access);
    }
}
