package org.anyvirt.transports.vhostuser;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.FileStat;
import org.anyvirt.linux.Mapping;
import org.anyvirt.linux.OpenFile;
import org.anyvirt.transports.vhostuser.message.RegionDescription;
import org.anyvirt.virtio.memory.MemoryRegion;
import org.anyvirt.virtio.memory.PremappedMemory;
import org.anyvirt.virtio.memory.RegionTable;

/**
 * The guest's memory as the frontend shares it: mapped files, by guest-physical address for what
 * the driver writes into rings, and by the frontend's own "user" address for where the rings are.
 *
 * <p>Control plane, one thread. A change takes effect as a whole or not at all. Mappings that are
 * not part of the memory any more stay until {@link Replaced#close}.
 */
final class MemoryTable implements AutoCloseable {
    /** Ring areas are aligned to 16 bytes at most (VIRTIO 1.3, 2.7), and stay so when mapped. */
    private static final long ALIGNMENT = 16;

    private final PremappedMemory memory;
    private List<Slot> slots = List.of();

    private record Slot(RegionDescription description, Mapping mapping) {
        boolean holdsUserAddress(long address) {
            return Long.compareUnsigned(address - description.userAddress(), description.size())
                    < 0;
        }

        boolean overlapsUserRange(RegionDescription other) {
            return holdsUserAddress(other.userAddress())
                    || Long.compareUnsigned(
                                    description.userAddress() - other.userAddress(), other.size())
                            < 0;
        }
    }

    /** Mappings that are no part of the memory any more. */
    static final class Replaced implements AutoCloseable {
        private final List<Mapping> mappings = new ArrayList<>();

        /** Unmaps them: nobody may use what queues resolved before. */
        @Override
        public void close() {
            mappings.forEach(Mapping::close);
        }
    }

    /**
     * @param memory what the queues resolve in; changes with this table
     */
    MemoryTable(PremappedMemory memory) {
        this.memory = memory;
    }

    boolean isEmpty() {
        return slots.isEmpty();
    }

    /**
     * {@code SET_MEM_TABLE}: this is all the memory there is.
     *
     * @param files one a region, in the same order; stay the caller's
     */
    Replaced replace(List<RegionDescription> regions, List<Fd> files) throws RefusedException {
        List<Slot> next = new ArrayList<>();
        try {
            for (int i = 0; i < regions.size(); i++) {
                next.add(map(regions.get(i), files.get(i), next));
            }
            return use(next);
        } catch (RefusedException e) {
            next.forEach(slot -> slot.mapping().close());
            throw e;
        }
    }

    /** {@code ADD_MEM_REG}: this, too. */
    void add(RegionDescription region, Fd file) throws RefusedException {
        if (slots.size() == RegionTable.MAX_REGIONS) {
            throw new RefusedException(
                    "there are %d regions already, which is the most".formatted(slots.size()));
        }
        List<Slot> next = new ArrayList<>(slots);
        Slot added = map(region, file, next);
        next.add(added);
        try {
            use(next);
        } catch (RefusedException e) {
            added.mapping().close();
            throw e;
        }
    }

    /**
     * {@code REM_MEM_REG}: no longer this.
     *
     * @param region its file offset has no meaning
     */
    Replaced remove(RegionDescription region) throws RefusedException {
        List<Slot> next = new ArrayList<>(slots);
        boolean found =
                next.removeIf(slot ->
                        slot.description().guestAddress() == region.guestAddress()
                                && slot.description().userAddress() == region.userAddress()
                                && slot.description().size() == region.size());
        if (!found) {
            throw new RefusedException("there is no region " + region);
        }
        return use(next);
    }

    /** The guest-physical address of a user address. */
    long busAddress(long userAddress) throws RefusedException {
        for (Slot slot : slots) {
            if (slot.holdsUserAddress(userAddress)) {
                RegionDescription region = slot.description();
                return userAddress - region.userAddress() + region.guestAddress();
            }
        }
        throw new RefusedException(
                "user address 0x%x is in none of %d regions".formatted(userAddress, slots.size()));
    }

    private Replaced use(List<Slot> next) throws RefusedException {
        Replaced replaced = new Replaced();
        for (Slot slot : slots) {
            if (!next.contains(slot)) {
                replaced.mappings.add(slot.mapping());
            }
        }
        try {
            memory.replace(
                    RegionTable.of(
                            next.stream()
                                    .map(slot ->
                                            new MemoryRegion(
                                                    slot.description().guestAddress(),
                                                    slot.description().size(),
                                                    slot.mapping().memory()))
                                    .toList()));
        } catch (IllegalArgumentException e) {
            throw new RefusedException(e.getMessage(), e);
        }
        slots = List.copyOf(next);
        return replaced;
    }

    private static Slot map(RegionDescription region, Fd file, List<Slot> others)
            throws RefusedException {
        check(region);
        for (Slot other : others) {
            if (other.overlapsUserRange(region)) {
                throw new RefusedException(
                        "regions %s and %s overlap in user addresses"
                                .formatted(other.description(), region));
            }
        }
        try {
            FileStat stat = OpenFile.stat(file);
            long end = region.mmapOffset() + region.size();
            // What is not there faults when it is touched. Devices do not say how large they are.
            if (stat.isRegular() && end > stat.size()) {
                throw new RefusedException(
                        "region %s: its file has 0x%x bytes".formatted(region, stat.size()));
            }
            return new Slot(region, Mapping.of(file, region.mmapOffset(), region.size(), true));
        } catch (IOException e) {
            throw new RefusedException("region %s: %s".formatted(region, e.getMessage()), e);
        }
    }

    private static void check(RegionDescription region) throws RefusedException {
        long size = region.size();
        if (size <= 0
                || region.mmapOffset() < 0
                || region.mmapOffset() > Long.MAX_VALUE - size
                || wraps(region.guestAddress(), size)
                || wraps(region.userAddress(), size)) {
            throw new RefusedException("region %s: no such range".formatted(region));
        }
        if ((region.guestAddress() - region.mmapOffset()) % ALIGNMENT != 0) {
            throw new RefusedException(
                    "region %s: not aligned alike, to %d bytes, in the guest and in its file"
                            .formatted(region, ALIGNMENT));
        }
    }

    private static boolean wraps(long start, long size) {
        return Long.compareUnsigned(start + (size - 1), start) < 0;
    }

    /** Unmaps everything: no queue is started any more. */
    @Override
    public void close() {
        List<Slot> last = slots;
        slots = List.of();
        memory.replace(RegionTable.EMPTY);
        last.forEach(slot -> slot.mapping().close());
    }
}
