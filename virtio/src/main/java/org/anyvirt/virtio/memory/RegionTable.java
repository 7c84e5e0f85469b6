package org.anyvirt.virtio.memory;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/**
 * All regions that a driver shares at some moment, sorted by unsigned address; immutable.
 *
 * <p>Made and compared on the control plane, searched on the data plane.
 */
public final class RegionTable {
    /** As many as a vhost-user frontend can have memory slots. */
    public static final int MAX_REGIONS = 509;

    public static final RegionTable EMPTY = new RegionTable(List.of());

    private final List<MemoryRegion> regions;

    // The regions again, as the data plane reads them.
    private final long[] start;
    private final long[] size;
    private final MemorySegment[] memory;
    private final boolean[] readOnly;

    private RegionTable(List<MemoryRegion> sorted) {
        int count = sorted.size();
        regions = sorted;
        start = new long[count];
        size = new long[count];
        memory = new MemorySegment[count];
        readOnly = new boolean[count];
        for (int i = 0; i < count; i++) {
            MemoryRegion region = sorted.get(i);
            start[i] = region.busAddress();
            size[i] = region.size();
            memory[i] = region.memory();
            readOnly[i] = region.memory().isReadOnly();
        }
    }

    /**
     * @param regions in any order
     * @throws IllegalArgumentException when there are too many, or two overlap; naming both
     */
    public static RegionTable of(Collection<MemoryRegion> regions) {
        if (regions.size() > MAX_REGIONS) {
            throw new IllegalArgumentException(
                    "%d memory regions, but at most %d".formatted(regions.size(), MAX_REGIONS));
        }
        List<MemoryRegion> sorted = new ArrayList<>(regions);
        sorted.sort(Comparator.comparing(MemoryRegion::busAddress, Long::compareUnsigned));
        for (int i = 1; i < sorted.size(); i++) {
            MemoryRegion below = sorted.get(i - 1);
            MemoryRegion above = sorted.get(i);
            // Sorted, so the difference is an unsigned distance, however far the two are apart.
            long distance = above.busAddress() - below.busAddress();
            if (Long.compareUnsigned(distance, below.size()) < 0) {
                throw new IllegalArgumentException(
                        "memory regions %s and %s overlap".formatted(below, above));
            }
        }
        return new RegionTable(List.copyOf(sorted));
    }

    public static RegionTable of(MemoryRegion... regions) {
        return of(List.of(regions));
    }

    /** In the order of their addresses. */
    public List<MemoryRegion> regions() {
        return regions;
    }

    int count() {
        return start.length;
    }

    /**
     * The number of the region that holds {@code address}, or -1.
     *
     * @param hint looked at first; any number
     */
    int find(long address, int hint) {
        if (hint >= 0 && hint < start.length && holds(hint, address)) {
            return hint;
        }
        int low = 0;
        int high = start.length - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (holds(middle, address)) {
                return middle;
            }
            if (Long.compareUnsigned(start[middle], address) < 0) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return -1;
    }

    private boolean holds(int region, long address) {
        return Long.compareUnsigned(address - start[region], size[region]) < 0;
    }

    long start(int region) {
        return start[region];
    }

    long size(int region) {
        return size[region];
    }

    MemorySegment memory(int region) {
        return memory[region];
    }

    boolean allows(int region, Access access) {
        return access == Access.DEVICE_READABLE || !readOnly[region];
    }
}
