package org.anyvirt.driver.memory;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.Mapping;
import org.anyvirt.linux.Memfd;

/**
 * A guest's memory as a virtual machine monitor has it: regions of guest-physical addresses, each
 * on a memory file that a backend can map.
 *
 * <p>Control plane, except that the memory itself may be used by anyone. Guest-physical addresses,
 * the monitor's own ("user") addresses and offsets in the files all differ, so that a backend that
 * takes one for another is caught.
 */
public final class GuestMemory implements SharedMemory, AutoCloseable {
    private static final long PAGE = 4096;
    private static final long FIRST_GUEST_ADDRESS = 1L << 20;
    private static final long AFTER_HOLE = 1L << 32;
    private static final long FIRST_USER_ADDRESS = 0x5a00_0000_0000L;
    private static final long USER_STRIDE = 1L << 40;

    private final List<Region> regions = new ArrayList<>();
    private final List<Mapping> mappings = new ArrayList<>();
    private final List<Long> allocated = new ArrayList<>();
    private int turn;

    private GuestMemory() {}

    /**
     * Where a region is to be.
     *
     * @param guestAddress its first guest-physical address
     * @param userAddress what the monitor tells of its own address space
     * @param size in bytes, a multiple of 4096
     * @param mapOffset where it starts in its file, a multiple of 4096
     */
    public record Placement(long guestAddress, long userAddress, long size, long mapOffset) {}

    /**
     * One region.
     *
     * @param fd of the file; owned by the guest memory
     * @param memory the region in this process
     */
    public record Region(Placement placement, Fd fd, MemorySegment memory) {
        /** Whether the whole range is in this region. */
        public boolean contains(long guestAddress, long length) {
            long offset = guestAddress - placement.guestAddress;
            return offset >= 0 && length >= 0 && offset <= placement.size - length;
        }
    }

    /** Two regions of together at least {@code size} bytes, on both sides of a hole below 4 GiB. */
    public static GuestMemory ofSize(long size) throws IOException {
        long half = (size / 2 + PAGE - 1) / PAGE * PAGE;
        // The later region has the lower user address: their orders differ as well.
        return of(
                List.of(
                        new Placement(
                                FIRST_GUEST_ADDRESS, FIRST_USER_ADDRESS + USER_STRIDE, half, 0),
                        new Placement(AFTER_HOLE, FIRST_USER_ADDRESS, half, 16 * PAGE)));
    }

    public static GuestMemory of(List<Placement> placements) throws IOException {
        GuestMemory memory = new GuestMemory();
        try {
            for (Placement placement : placements) {
                memory.add(placement);
            }
        } catch (IOException | RuntimeException e) {
            memory.close();
            throw e;
        }
        return memory;
    }

    /** Plugs in one more region. */
    public Region add(Placement placement) throws IOException {
        Fd fd = Memfd.create("guest-memory", placement.mapOffset + placement.size);
        try {
            Mapping mapping = Mapping.of(fd, placement.mapOffset, placement.size, true);
            Region region = new Region(placement, fd, mapping.memory());
            mappings.add(mapping);
            regions.add(region);
            allocated.add(0L);
            return region;
        } catch (IOException | RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    /** By number, in the order in which they came. */
    public List<Region> regions() {
        return List.copyOf(regions);
    }

    /** Takes the regions by turns, so that what belongs together lies apart. */
    @Override
    public SharedRange allocate(long size, long alignment) {
        for (int i = 0; i < regions.size(); i++) {
            int number = turn++ % regions.size();
            SharedRange range = allocateIn(number, size, alignment);
            if (range != null) {
                return range;
            }
        }
        throw new IllegalStateException(
                "no region has %d bytes left, aligned to %d".formatted(size, alignment));
    }

    private SharedRange allocateIn(int number, long size, long alignment) {
        Placement placement = regions.get(number).placement;
        long first = placement.guestAddress + allocated.get(number);
        long address = (first + alignment - 1) & -alignment;
        if (!regions.get(number).contains(address, size)) {
            return null;
        }
        allocated.set(number, address - placement.guestAddress + size);
        return at(address, size);
    }

    /**
     * Any range, allocated or not.
     *
     * @throws IndexOutOfBoundsException when it is not wholly in one region
     */
    public SharedRange at(long guestAddress, long length) {
        for (Region region : regions) {
            if (region.contains(guestAddress, length)) {
                long offset = guestAddress - region.placement.guestAddress;
                return new SharedRange(guestAddress, region.memory.asSlice(offset, length));
            }
        }
        throw new IndexOutOfBoundsException(
                "[0x%x, +0x%x) is not in one region".formatted(guestAddress, length));
    }

    /**
     * What a monitor would call this guest-physical address in its own address space.
     *
     * @throws IndexOutOfBoundsException when it is in no region
     */
    public long userAddress(long guestAddress) {
        for (Region region : regions) {
            if (region.contains(guestAddress, 1)) {
                return guestAddress - region.placement.guestAddress + region.placement.userAddress;
            }
        }
        throw new IndexOutOfBoundsException("0x%x is in no region".formatted(guestAddress));
    }

    /** Unmaps everything: no range given out may be used any more. */
    @Override
    public void close() {
        mappings.forEach(Mapping::close);
        regions.forEach(region -> region.fd.close());
        mappings.clear();
        regions.clear();
    }
}
