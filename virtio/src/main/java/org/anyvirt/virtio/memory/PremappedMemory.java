package org.anyvirt.virtio.memory;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Memory that is mapped before it is used, as with vhost-user: resolving costs an addition and a
 * comparison, and is never pending.
 *
 * <p>The control plane replaces the table; queues resolve on their runners' threads with the table
 * of that moment. Whoever replaces a table keeps the old one's memory mapped until every queue has
 * let go of it.
 */
public final class PremappedMemory implements BusMemory {
    private volatile RegionTable table;

    public PremappedMemory(RegionTable table) {
        this.table = Objects.requireNonNull(table);
    }

    public RegionTable table() {
        return table;
    }

    /** From now on ranges resolve in {@code next}. */
    public void replace(RegionTable next) {
        table = Objects.requireNonNull(next);
    }

    @Override
    public Resolution resolve(long address, long length, Access access, Buffers into) {
        RegionTable now = table;
        int region = now.find(address, into.lastRegion());
        if (region < 0 || length <= 0 || !now.allows(region, access)) {
            return Resolution.FAULT;
        }
        into.lastRegion(region);
        long at = address - now.start(region);
        // No overflow: the address is in the region, so 0 <= at < size.
        if (length <= now.size(region) - at) {
            into.add(now.memory(region), at, length);
            return Resolution.READY;
        }
        return resolveAcross(now, region, at, length, access, into);
    }

    /** A range may go on in the next region, where that one begins at this one's end. */
    private static Resolution resolveAcross(
            RegionTable now, int first, long at, long length, Access access, Buffers into) {
        int before = into.fragments();
        int region = first;
        long skip = at;
        long left = length;
        while (true) {
            long part = Math.min(left, now.size(region) - skip);
            into.add(now.memory(region), skip, part);
            left -= part;
            if (left == 0) {
                return Resolution.READY;
            }
            long end = now.start(region) + now.size(region);
            region++;
            // A region that ends at 2^64 is the last: a range that would wrap is refused.
            if (region == now.count() || now.start(region) != end || !now.allows(region, access)) {
                into.truncate(before);
                return Resolution.FAULT;
            }
            skip = 0;
        }
    }

    /** Nothing is pinned: the memory stays mapped until its table has no users. */
    @Override
    public void release(Buffers buffers) {}

    @Override
    public MemorySegment ringArea(long address, long length, Access access)
            throws UnmappedRangeException {
        RegionTable now = table;
        int region = now.find(address, -1);
        if (region < 0) {
            throw new UnmappedRangeException(address, length, "is not in shared memory");
        }
        long at = address - now.start(region);
        if (length <= 0 || length > now.size(region) - at) {
            throw new UnmappedRangeException(
                    address, length, "does not lie in one region of shared memory");
        }
        if (!now.allows(region, access)) {
            throw new UnmappedRangeException(address, length, "is shared for reading only");
        }
        return now.memory(region).asSlice(at, length);
    }
}
