package org.anyvirt.virtio.queue;

import static org.anyvirt.virtio.spec.DescriptorLayout.ADDR;
import static org.anyvirt.virtio.spec.DescriptorLayout.LEN;
import static org.anyvirt.virtio.spec.DescriptorLayout.LEN_MASK;
import static org.anyvirt.virtio.spec.DescriptorLayout.SIZE;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_INDIRECT;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_NEXT;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_WRITE;
import static org.anyvirt.virtio.spec.SplitRingLayout.AVAIL_ENTRY_SIZE;
import static org.anyvirt.virtio.spec.SplitRingLayout.AVAIL_FLAGS;
import static org.anyvirt.virtio.spec.SplitRingLayout.AVAIL_IDX;
import static org.anyvirt.virtio.spec.SplitRingLayout.AVAIL_RING;
import static org.anyvirt.virtio.spec.SplitRingLayout.DESC_FLAGS_SHIFT;
import static org.anyvirt.virtio.spec.SplitRingLayout.DESC_NEXT_SHIFT;
import static org.anyvirt.virtio.spec.SplitRingLayout.MAX_SIZE;
import static org.anyvirt.virtio.spec.SplitRingLayout.USED_ENTRY_SIZE;
import static org.anyvirt.virtio.spec.SplitRingLayout.USED_FLAGS;
import static org.anyvirt.virtio.spec.SplitRingLayout.USED_IDX;
import static org.anyvirt.virtio.spec.SplitRingLayout.USED_RING;
import static org.anyvirt.virtio.spec.SplitRingLayout.VIRTQ_AVAIL_F_NO_INTERRUPT;
import static org.anyvirt.virtio.spec.SplitRingLayout.VIRTQ_USED_F_NO_NOTIFY;

import java.lang.invoke.VarHandle;
import org.anyvirt.virtio.memory.BusMemory;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/**
 * The device's half of a split virtqueue (VIRTIO 1.3, 2.7).
 *
 * <p>Data plane, on the thread of the runner that owns it.
 */
final class SplitVirtqueue implements DeviceVirtqueue {
    private static final int INDEX_MASK = 0xffff;
    private static final int KNOWN_FLAGS =
            VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_INDIRECT;

    private final int index;
    private final int size;
    private final QueueLayout layout;
    private final BusMemory memory;
    private final boolean eventIdx;
    private final ChainTable chains;
    private final ChainWalker walker;

    private SplitAreas areas;

    // Free-running, modulo 2^16 (VIRTIO 1.3, 2.7.6, 2.7.8).
    private int nextAvailable;
    private int nextUsed;

    private long usedBuffers;
    private boolean ranDry = true;
    private boolean notifyAnyway;
    private MalformedChainException broken;

    SplitVirtqueue(
            int index,
            QueueLayout layout,
            QueuePosition position,
            Features accepted,
            BusMemory memory,
            Runnable wake)
            throws UnmappedRangeException {
        this.index = index;
        this.layout = layout;
        this.memory = memory;
        size = layout.size();
        if (size < 1 || size > MAX_SIZE || Integer.bitCount(size) != 1) {
            throw new IllegalArgumentException(
                    "queue %d: the size of a split virtqueue is a power of two up to %d, not %d"
                            .formatted(index, MAX_SIZE, size));
        }
        nextAvailable = position.available();
        nextUsed = position.used();
        if ((nextAvailable & ~INDEX_MASK) != 0
                || (nextUsed & ~INDEX_MASK) != 0
                || (nextAvailable - nextUsed & INDEX_MASK) > size) {
            throw new IllegalArgumentException(
                    "queue %d: no %s in a split virtqueue of %d".formatted(index, position, size));
        }
        eventIdx = accepted.has(FeatureBits.VIRTIO_F_EVENT_IDX);
        // Whoever served the queue before may have gone between used index and notification.
        notifyAnyway = eventIdx;
        areas = SplitAreas.find(memory, layout);
        clearFlags();
        chains = new ChainTable(size, memory, accepted.has(FeatureBits.VIRTIO_F_IN_ORDER), wake);
        walker =
                new ChainWalker(
                        index, size, memory, accepted.has(FeatureBits.VIRTIO_F_INDIRECT_DESC));
    }

    @Override
    public int index() {
        return index;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public int inFlight() {
        return chains.inFlight();
    }

    @Override
    public long usedBuffers() {
        return usedBuffers;
    }

    @Override
    public int take(Chain[] into, int max) throws MalformedChainException {
        if (broken != null) {
            throw broken;
        }
        int taken = 0;
        ranDry = false;
        try {
            int count = availableCount();
            int limit = Math.min(count, max);
            while (taken < limit && walk()) {
                into[taken++] = chains.take(walker.head());
                nextAvailable = nextAvailable + 1 & INDEX_MASK;
            }
            ranDry = taken == count && taken < max;
        } catch (MalformedChainException e) {
            abandon();
            broken = e;
            // What was taken before is good, and the device's to complete: told next time.
            if (taken == 0) {
                throw e;
            }
        }
        return taken;
    }

    private int availableCount() throws MalformedChainException {
        // Acquire: the entries and descriptors up to this index are visible (VIRTIO 1.3, 2.7.13.3).
        int idx = RingAccess.u16Acquire(areas.available(), AVAIL_IDX);
        int count = idx - nextAvailable & INDEX_MASK;
        if (count > size) {
            throw new MalformedChainException(
                    index,
                    -1,
                    "the available index jumped from %d to %d, by more than the %d entries"
                            .formatted(nextAvailable, idx, size));
        }
        return count;
    }

    /**
     * Fills the blank chain from the next available entry.
     *
     * @return false when memory is pending: nothing was taken
     */
    private boolean walk() throws MalformedChainException {
        int head =
                RingAccess.u16(
                        areas.available(),
                        AVAIL_RING + (long) (nextAvailable & size - 1) * AVAIL_ENTRY_SIZE);
        walker.begin(chains.blank(), head);
        if (head >= size) {
            throw walker.malformed("the head is not below the queue's size of " + size);
        }
        if (!chains.isFree(head)) {
            throw walker.malformed("the head is in flight already");
        }
        if (walkFrom(head)) {
            return true;
        }
        abandon();
        return false;
    }

    private void abandon() {
        walker.closeTable();
        chains.abandonBlank();
    }

    private boolean walkFrom(int head) throws MalformedChainException {
        int at = head;
        for (int length = 1; ; length++) {
            long address = RingAccess.u64(areas.descriptors(), (long) at * SIZE + ADDR);
            long rest = RingAccess.u64(areas.descriptors(), (long) at * SIZE + LEN);
            int flags = checkFlags(rest);
            if ((flags & VIRTQ_DESC_F_INDIRECT) != 0) {
                return walkTable(address, rest & LEN_MASK, flags);
            }
            if (!walker.add(address, rest & LEN_MASK, (flags & VIRTQ_DESC_F_WRITE) != 0)) {
                return false;
            }
            if ((flags & VIRTQ_DESC_F_NEXT) == 0) {
                return true;
            }
            at = next(rest, size, length);
        }
    }

    /** The next field decides where a table goes on, as in the descriptor table (2.7.5.3). */
    private boolean walkTable(long address, long length, int flags) throws MalformedChainException {
        int entries = walker.openTable(address, length, flags);
        if (entries == 0) {
            return false;
        }
        int at = 0;
        for (int walked = 1; ; walked++) {
            long entryAddress = walker.tableWord(at, ADDR);
            long rest = walker.tableWord(at, LEN);
            int entryFlags = checkFlags(rest);
            if ((entryFlags & VIRTQ_DESC_F_INDIRECT) != 0) {
                // VIRTIO 1.3, 2.7.5.3.1
                throw walker.malformed(
                        "entry %d of the indirect table is indirect itself".formatted(at));
            }
            boolean writable = (entryFlags & VIRTQ_DESC_F_WRITE) != 0;
            if (!walker.add(entryAddress, rest & LEN_MASK, writable)) {
                return false;
            }
            if ((entryFlags & VIRTQ_DESC_F_NEXT) == 0) {
                walker.closeTable();
                return true;
            }
            at = next(rest, entries, walked);
        }
    }

    private int checkFlags(long rest) throws MalformedChainException {
        int flags = (int) (rest >>> DESC_FLAGS_SHIFT) & 0xffff;
        if ((flags & ~KNOWN_FLAGS) != 0) {
            throw walker.malformed("unknown descriptor flags 0x%x".formatted(flags));
        }
        return flags;
    }

    private int next(long rest, int entries, int walked) throws MalformedChainException {
        int next = (int) (rest >>> DESC_NEXT_SHIFT);
        if (next >= entries) {
            throw walker.malformed(
                    "next is %d in a table of %d descriptors".formatted(next, entries));
        }
        if (walked == entries) {
            // VIRTIO 1.3, 2.7.5.2: a chain that passes every entry and goes on has a loop.
            throw walker.malformed("a loop: next is %d after %d".formatted(next, walked));
        }
        return next;
    }

    @Override
    public void complete(Chain chain, long written) {
        chains.complete(chain, written);
    }

    @Override
    public boolean completeFrom(long token, long written) {
        return chains.completeFrom(token, written);
    }

    @Override
    public int reapHandedOver() {
        return chains.reapHandedOver();
    }

    @Override
    public boolean flush() {
        int count = 0;
        for (Chain chain = chains.pollUsed(); chain != null; chain = chains.pollUsed()) {
            RingAccess.putU64Anywhere(
                    areas.used(),
                    USED_RING + (long) (nextUsed & size - 1) * USED_ENTRY_SIZE,
                    chain.head() | chain.usedLength() << 32);
            nextUsed = nextUsed + 1 & INDEX_MASK;
            count++;
        }
        if (count == 0) {
            return false;
        }
        usedBuffers += count;
        // Release: the entries, and what the device wrote, come first (VIRTIO 1.3, 2.7.8.2).
        RingAccess.putU16Release(areas.used(), USED_IDX, nextUsed);
        // The driver writes its event or flags, fences, and then looks at the index again; without
        // a fence here too, each could miss what the other wrote (VIRTIO 1.3, 2.7.7.2, 2.7.14).
        VarHandle.fullFence();
        return wantsNotification(count);
    }

    private void clearFlags() {
        if (eventIdx) {
            // VIRTIO 1.3, 2.7.10.2
            RingAccess.putU16(areas.used(), USED_FLAGS, 0);
        }
    }

    private boolean wantsNotification(int count) {
        if (!eventIdx) {
            return (RingAccess.u16(areas.available(), AVAIL_FLAGS) & VIRTQ_AVAIL_F_NO_INTERRUPT)
                    == 0;
        }
        // VIRTIO 1.3, 2.7.7.2: whether one of the entries just written is the one that it waits
        // for.
        int event = RingAccess.u16(areas.available(), SplitAreas.usedEventAt(size));
        boolean wants = notifyAnyway || (nextUsed - event - 1 & INDEX_MASK) < count;
        notifyAnyway = false;
        return wants;
    }

    @Override
    public void disarm() {
        // With VIRTIO_F_EVENT_IDX the flags stay 0 (VIRTIO 1.3, 2.7.10.2), and an event that is
        // not moved on lies behind: the driver does not pass it again for 65536 buffers.
        if (!eventIdx) {
            RingAccess.putU16(areas.used(), USED_FLAGS, VIRTQ_USED_F_NO_NOTIFY);
        }
    }

    @Override
    public boolean arm() {
        if (eventIdx) {
            RingAccess.putU16(areas.used(), SplitAreas.availEventAt(size), nextAvailable);
        } else {
            RingAccess.putU16(areas.used(), USED_FLAGS, 0);
        }
        // The driver writes its index, fences, and then looks at what was written here: whatever
        // it did not notify of is seen by the read below (VIRTIO 1.3, 2.7.10, 2.7.13.4.1).
        VarHandle.fullFence();
        return broken != null
                || ranDry && RingAccess.u16Acquire(areas.available(), AVAIL_IDX) != nextAvailable;
    }

    @Override
    public QueuePosition position() {
        return new QueuePosition(nextAvailable, nextUsed);
    }

    @Override
    public void rebind(Runnable released) throws UnmappedRangeException {
        try {
            areas = SplitAreas.find(memory, layout);
            clearFlags();
        } catch (UnmappedRangeException e) {
            areas = SplitAreas.scratch(size);
            throw e;
        } finally {
            chains.memoryChanged(released);
        }
    }

    @Override
    public void close() {
        chains.close();
        areas = null;
    }
}
