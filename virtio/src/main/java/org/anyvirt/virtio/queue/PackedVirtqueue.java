package org.anyvirt.virtio.queue;

import static org.anyvirt.virtio.spec.DescriptorLayout.ADDR;
import static org.anyvirt.virtio.spec.DescriptorLayout.LEN;
import static org.anyvirt.virtio.spec.DescriptorLayout.LEN_MASK;
import static org.anyvirt.virtio.spec.DescriptorLayout.SIZE;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_INDIRECT;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_NEXT;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_WRITE;
import static org.anyvirt.virtio.spec.PackedRingLayout.DESC_FLAGS_SHIFT;
import static org.anyvirt.virtio.spec.PackedRingLayout.DESC_ID_SHIFT;
import static org.anyvirt.virtio.spec.PackedRingLayout.EVENT_FLAGS_MASK;
import static org.anyvirt.virtio.spec.PackedRingLayout.EVENT_FLAGS_SHIFT;
import static org.anyvirt.virtio.spec.PackedRingLayout.EVENT_OFF_MASK;
import static org.anyvirt.virtio.spec.PackedRingLayout.EVENT_WRAP_SHIFT;
import static org.anyvirt.virtio.spec.PackedRingLayout.MAX_SIZE;
import static org.anyvirt.virtio.spec.PackedRingLayout.RING_EVENT_FLAGS_DESC;
import static org.anyvirt.virtio.spec.PackedRingLayout.RING_EVENT_FLAGS_DISABLE;
import static org.anyvirt.virtio.spec.PackedRingLayout.RING_EVENT_FLAGS_ENABLE;
import static org.anyvirt.virtio.spec.PackedRingLayout.VIRTQ_DESC_F_AVAIL;
import static org.anyvirt.virtio.spec.PackedRingLayout.VIRTQ_DESC_F_USED;

import java.lang.invoke.VarHandle;
import org.anyvirt.virtio.memory.BusMemory;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/**
 * The device's half of a packed virtqueue (VIRTIO 1.3, 2.8).
 *
 * <p>Data plane, on the thread of the runner that owns it. Where the device stands in the ring is
 * kept as a step, from 0 to twice the size: offset and wrap counter in one, so that distances are
 * differences. Steps below the size have the wrap counter 1, with which a ring starts.
 */
final class PackedVirtqueue implements DeviceVirtqueue {
    private static final int KNOWN_FLAGS =
            VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_INDIRECT;
    private static final int RING_FLAGS = VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;
    private static final int WRAP_BIT = 1 << EVENT_WRAP_SHIFT;

    private final int index;
    private final int size;
    private final QueueLayout layout;
    private final BusMemory memory;
    private final boolean eventIdx;
    private final ChainTable chains;
    private final ChainWalker walker;

    private PackedAreas areas;

    private int nextAvailable;
    private int nextUsed;

    /** Descriptors from the next used one up to the next available one. */
    private int outstanding;

    /** The descriptors and the buffer id of the chain being walked. */
    private int walked;

    private int walkedId;

    private long usedBuffers;
    private boolean ranDry = true;
    private boolean notifyAnyway;
    private MalformedChainException broken;

    PackedVirtqueue(
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
        if (size < 1 || size > MAX_SIZE) {
            throw new IllegalArgumentException(
                    "queue %d: the size of a packed virtqueue is 1 to %d, not %d"
                            .formatted(index, MAX_SIZE, size));
        }
        nextAvailable = step(position.available());
        nextUsed = step(position.used());
        outstanding = distance(nextUsed, nextAvailable);
        if (!isOffset(position.available()) || !isOffset(position.used()) || outstanding > size) {
            throw new IllegalArgumentException(
                    "queue %d: no %s in a packed virtqueue of %d".formatted(index, position, size));
        }
        eventIdx = accepted.has(FeatureBits.VIRTIO_F_EVENT_IDX);
        // Whoever served the queue before may have gone between used flags and notification.
        notifyAnyway = eventIdx;
        areas = PackedAreas.find(memory, layout);
        chains = new ChainTable(size, memory, accepted.has(FeatureBits.VIRTIO_F_IN_ORDER), wake);
        walker =
                new ChainWalker(
                        index, size, memory, accepted.has(FeatureBits.VIRTIO_F_INDIRECT_DESC));
    }

    private boolean isOffset(int offWrap) {
        return offWrap >>> 16 == 0 && (offWrap & EVENT_OFF_MASK) < size;
    }

    private int step(int offWrap) {
        return (offWrap & EVENT_OFF_MASK) + ((offWrap & WRAP_BIT) != 0 ? 0 : size);
    }

    private int offWrap(int step) {
        return step < size ? step | WRAP_BIT : step - size;
    }

    private int offset(int step) {
        return step < size ? step : step - size;
    }

    private int forward(int step, int descriptors) {
        int next = step + descriptors;
        return next < 2 * size ? next : next - 2 * size;
    }

    private int distance(int from, int to) {
        return to < from ? to - from + 2 * size : to - from;
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
            while (taken < max) {
                // Acquire, before all else in the chain (VIRTIO 1.3, 2.8.6, 2.8.21.1). The length
                // and id come with the flags: one aligned word of eight bytes is one access.
                long rest = secondWordAcquire();
                if (!isAvailable(rest, nextAvailable)) {
                    ranDry = true;
                    break;
                }
                if (!walk(rest)) {
                    abandon();
                    break;
                }
                Chain chain = chains.take(walkedId);
                chain.descriptors = walked;
                outstanding += walked;
                nextAvailable = forward(nextAvailable, walked);
                into[taken++] = chain;
            }
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

    private long secondWordAcquire() {
        return RingAccess.u64Acquire(areas.ring(), (long) offset(nextAvailable) * SIZE + LEN);
    }

    /** The flags differ, and AVAIL is the driver's wrap counter (VIRTIO 1.3, 2.8.1). */
    private boolean isAvailable(long rest, int step) {
        int flags = (int) (rest >>> DESC_FLAGS_SHIFT) & RING_FLAGS;
        return flags == (step < size ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED);
    }

    /**
     * Fills the blank chain from the next available descriptor on.
     *
     * @param first that descriptor's second word
     * @return false when memory is pending: nothing was taken
     */
    private boolean walk(long first) throws MalformedChainException {
        int step = nextAvailable;
        long rest = first;
        walker.begin(chains.blank(), offset(step));
        for (walked = 1; ; walked++) {
            if (outstanding + walked > size) {
                // VIRTIO 1.3, 2.8.17: room for the whole list before it is made available.
                throw walker.malformed(
                        "the list runs into the %d descriptors in flight".formatted(outstanding));
            }
            int flags = (int) (rest >>> DESC_FLAGS_SHIFT) & ~RING_FLAGS;
            if ((flags & ~KNOWN_FLAGS) != 0) {
                throw walker.malformed("unknown descriptor flags 0x%x".formatted(flags));
            }
            long address = RingAccess.u64(areas.ring(), (long) offset(step) * SIZE + ADDR);
            boolean ready =
                    (flags & VIRTQ_DESC_F_INDIRECT) != 0
                            ? walkTable(address, rest & LEN_MASK, flags)
                            : walker.add(
                                    address, rest & LEN_MASK, (flags & VIRTQ_DESC_F_WRITE) != 0);
            if (!ready) {
                return false;
            }
            if ((flags & VIRTQ_DESC_F_NEXT) == 0) {
                break;
            }
            step = forward(step, 1);
            rest = RingAccess.u64(areas.ring(), (long) offset(step) * SIZE + LEN);
            if (!isAvailable(rest, step)) {
                // VIRTIO 1.3, 2.8.6, 2.8.17: the driver makes the first one available last.
                throw walker.malformed(
                        "the list goes on at %d, which is not available".formatted(offset(step)));
            }
        }
        // VIRTIO 1.3, 2.8.6: the last descriptor of the list has the id.
        walkedId = (int) (rest >>> DESC_ID_SHIFT) & 0xffff;
        if (walkedId >= size) {
            throw walker.malformed(
                    "the buffer id %d is not below the queue's size of %d"
                            .formatted(walkedId, size));
        }
        if (!chains.isFree(walkedId)) {
            throw walker.malformed("the buffer id %d is in flight already".formatted(walkedId));
        }
        return true;
    }

    /** Entries follow one another, and no flag but WRITE means anything (VIRTIO 1.3, 2.8.7). */
    private boolean walkTable(long address, long length, int flags) throws MalformedChainException {
        int entries = walker.openTable(address, length, flags);
        if (entries == 0) {
            return false;
        }
        for (int at = 0; at < entries; at++) {
            long entryAddress = walker.tableWord(at, ADDR);
            long rest = walker.tableWord(at, LEN);
            int entryFlags = (int) (rest >>> DESC_FLAGS_SHIFT);
            boolean writable = (entryFlags & VIRTQ_DESC_F_WRITE) != 0;
            if (!walker.add(entryAddress, rest & LEN_MASK, writable)) {
                return false;
            }
        }
        walker.closeTable();
        return true;
    }

    private void abandon() {
        walker.closeTable();
        chains.abandonBlank();
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
        int start = nextUsed;
        long first = 0;
        int count = 0;
        for (Chain chain = chains.pollUsed(); chain != null; chain = chains.pollUsed()) {
            long word = usedWord(chain);
            if (count++ == 0) {
                first = word;
            } else {
                RingAccess.putU64(areas.ring(), (long) offset(nextUsed) * SIZE + LEN, word);
            }
            nextUsed = forward(nextUsed, chain.descriptors);
            outstanding -= chain.descriptors;
        }
        if (count == 0) {
            return false;
        }
        usedBuffers += count;
        // The driver polls one place, the next descriptor to be used (VIRTIO 1.3, 2.8.2): the first
        // of the batch is written last and shows all. Release: the others, and what the device
        // wrote to the buffers, come before.
        RingAccess.putU64Release(areas.ring(), (long) offset(start) * SIZE + LEN, first);
        // The driver writes its event suppression, fences, and then looks at the ring again;
        // without a fence here too, each could miss what the other wrote (VIRTIO 1.3, 2.8.22).
        VarHandle.fullFence();
        return wantsNotification(start);
    }

    /** The second word of a used descriptor (VIRTIO 1.3, 2.8.1, 2.8.3, 2.8.4). */
    private long usedWord(Chain chain) {
        int flags =
                (nextUsed < size ? RING_FLAGS : 0) | (chain.written > 0 ? VIRTQ_DESC_F_WRITE : 0);
        return chain.usedLength()
                | (long) chain.head() << DESC_ID_SHIFT
                | (long) flags << DESC_FLAGS_SHIFT;
    }

    private boolean wantsNotification(int start) {
        boolean anyway = notifyAnyway;
        notifyAnyway = false;
        int event = RingAccess.u32(areas.driverEvent(), 0);
        int flags = event >>> EVENT_FLAGS_SHIFT & EVENT_FLAGS_MASK;
        if (flags != RING_EVENT_FLAGS_DESC || !eventIdx) {
            return flags != RING_EVENT_FLAGS_DISABLE;
        }
        // VIRTIO 1.3, 2.8.10: whether the descriptor that it waits for is one of those just used,
        // or skipped as part of their lists.
        return anyway || distance(start, step(event)) < distance(start, nextUsed);
    }

    @Override
    public void disarm() {
        RingAccess.putU32(areas.deviceEvent(), 0, RING_EVENT_FLAGS_DISABLE << EVENT_FLAGS_SHIFT);
    }

    @Override
    public boolean arm() {
        RingAccess.putU32(
                areas.deviceEvent(),
                0,
                eventIdx
                        ? offWrap(nextAvailable) | RING_EVENT_FLAGS_DESC << EVENT_FLAGS_SHIFT
                        : RING_EVENT_FLAGS_ENABLE << EVENT_FLAGS_SHIFT);
        // The driver makes a descriptor available, fences, and then looks at what was written here:
        // whatever it did not notify of is seen by the read below (VIRTIO 1.3, 2.8.21.3.1).
        VarHandle.fullFence();
        return broken != null || ranDry && isAvailable(secondWordAcquire(), nextAvailable);
    }

    @Override
    public QueuePosition position() {
        return new QueuePosition(offWrap(nextAvailable), offWrap(nextUsed));
    }

    @Override
    public void rebind(Runnable released) throws UnmappedRangeException {
        try {
            areas = PackedAreas.find(memory, layout);
        } catch (UnmappedRangeException e) {
            areas = PackedAreas.scratch(size);
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
