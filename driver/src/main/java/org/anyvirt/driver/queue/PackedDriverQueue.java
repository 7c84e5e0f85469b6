package org.anyvirt.driver.queue;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/**
 * The driver's half of a packed virtqueue (VIRTIO 1.3, 2.8). Data plane.
 *
 * <pre>
 * descriptor ring     { le64 addr; le32 len; le16 id; le16 flags; } [size]
 * event suppression   le16 { off : 15; wrap : 1; } desc; le16 { flags : 2; } flags;
 * </pre>
 */
public final class PackedDriverQueue implements DriverQueue {
    private static final int VIRTQ_DESC_F_NEXT = 1;
    private static final int VIRTQ_DESC_F_WRITE = 1 << 1;
    private static final int VIRTQ_DESC_F_INDIRECT = 1 << 2;
    private static final int VIRTQ_DESC_F_AVAIL = 1 << 7;
    private static final int VIRTQ_DESC_F_USED = 1 << 15;
    private static final int RING_EVENT_FLAGS_ENABLE = 0;
    private static final int RING_EVENT_FLAGS_DISABLE = 1;
    private static final int RING_EVENT_FLAGS_DESC = 2;

    private static final int ADDRESS = 0;
    private static final int LENGTH = 8;
    private static final int ID = 12;
    private static final int FLAGS = 14;
    private static final int WRAP_SHIFT = 15;

    private final QueueMemory memory;
    private final MemorySegment descriptors;
    private final MemorySegment driverEvent;
    private final MemorySegment deviceEvent;
    private final int size;
    private final boolean eventIndex;
    private final boolean inOrder;

    private final int[] freeIds;
    private final int[] length;
    private final long[] tokens;
    private final long[] writableBytes;

    /** The buffer ids outstanding, in a circle, oldest first; for in-order devices. */
    private final int[] order;

    private int oldest;
    private int free;
    private int outstanding;

    private int nextAvailable;
    private boolean availableWrap = true;
    private int nextUsed;
    private boolean usedWrap = true;

    /** The first head added and not published, with its flags, and the descriptors since. */
    private int heldBack = -1;

    private int heldBackFlags;
    private int unpublished;
    private int unpublishedChains;

    PackedDriverQueue(QueueMemory memory, Features accepted) {
        this.memory = memory;
        this.descriptors = memory.descriptorArea().memory();
        this.driverEvent = memory.driverArea().memory();
        this.deviceEvent = memory.deviceArea().memory();
        this.size = memory.size();
        this.eventIndex = accepted.has(FeatureBits.VIRTIO_F_EVENT_IDX);
        this.inOrder = accepted.has(FeatureBits.VIRTIO_F_IN_ORDER);
        this.freeIds = new int[size];
        this.length = new int[size];
        this.tokens = new long[size];
        this.writableBytes = new long[size];
        this.order = new int[size];
        this.free = size;
        // An id is a name and not a place in the ring: 2.8.21.1 takes any that is free.
        for (int i = 0; i < size; i++) {
            freeIds[i] = i;
        }
    }

    @Override
    public QueueMemory memory() {
        return memory;
    }

    @Override
    public int free() {
        return free;
    }

    @Override
    public int outstanding() {
        return outstanding;
    }

    @Override
    public boolean add(DriverChain chain, long token) {
        memory.check(chain);
        if (chain.direct() != 0 && chain.direct() != chain.elements()) {
            throw new IllegalArgumentException(
                    "a list in a packed ring is direct or indirect, not both: 2.8.5");
        }
        int needed = chain.descriptors();
        if (needed > free) {
            return false;
        }
        // Each chain has at least one descriptor, so there are ids while there are descriptors.
        int id = freeIds[size - 1 - outstanding];
        if (chain.direct() == 0) {
            addIndirect(chain, id);
        } else {
            addDirect(chain, id);
        }
        free -= needed;
        length[id] = needed;
        tokens[id] = token;
        writableBytes[id] = chain.writableBytes();
        order[wrapped(oldest + outstanding)] = id;
        outstanding++;
        unpublished += needed;
        unpublishedChains++;
        return true;
    }

    private int wrapped(int position) {
        return position < size ? position : position - size;
    }

    private void addDirect(DriverChain chain, int id) {
        int head = nextAvailable;
        int headFlags = 0;
        int elements = chain.elements();
        for (int i = 0; i < elements; i++) {
            long at = (long) nextAvailable * QueueMemory.DESCRIPTOR_SIZE;
            boolean more = i + 1 < elements;
            int flags =
                    availableFlags()
                            | (more ? VIRTQ_DESC_F_NEXT : 0)
                            | (chain.isWritable(i) ? VIRTQ_DESC_F_WRITE : 0);
            LittleEndian.putU64(descriptors, at + ADDRESS, chain.address(i));
            LittleEndian.putU32(descriptors, at + LENGTH, chain.length(i));
            if (!more) {
                LittleEndian.putU16(descriptors, at + ID, id); // 2.8.6: in the last of the list.
            }
            if (i == 0) {
                headFlags = flags;
            } else {
                LittleEndian.putU16(descriptors, at + FLAGS, flags);
            }
            advance();
        }
        makeAvailable(head, headFlags);
    }

    private void addIndirect(DriverChain chain, int id) {
        MemorySegment tables = memory.indirectTables().memory();
        long table = memory.tableOffset(id);
        for (int i = 0; i < chain.elements(); i++) {
            long at = table + (long) i * QueueMemory.DESCRIPTOR_SIZE;
            LittleEndian.putU64(tables, at + ADDRESS, chain.address(i));
            LittleEndian.putU32(tables, at + LENGTH, chain.length(i));
            LittleEndian.putU16(tables, at + ID, 0);
            // 2.8.7: WRITE is the only flag, and the table's length ends the list.
            LittleEndian.putU16(tables, at + FLAGS, chain.isWritable(i) ? VIRTQ_DESC_F_WRITE : 0);
        }
        int head = nextAvailable;
        long at = (long) head * QueueMemory.DESCRIPTOR_SIZE;
        int flags = availableFlags() | VIRTQ_DESC_F_INDIRECT;
        LittleEndian.putU64(descriptors, at + ADDRESS, memory.indirectTables().address() + table);
        LittleEndian.putU32(
                descriptors, at + LENGTH, (long) chain.elements() * QueueMemory.DESCRIPTOR_SIZE);
        LittleEndian.putU16(descriptors, at + ID, id);
        advance();
        makeAvailable(head, flags);
    }

    /** 2.8.1: available is AVAIL equal to the driver's wrap counter, and USED unequal. */
    private int availableFlags() {
        return availableWrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
    }

    private void advance() {
        if (++nextAvailable == size) {
            nextAvailable = 0;
            availableWrap = !availableWrap;
        }
    }

    /**
     * Writes the flags of a list's first descriptor; of the first list of a batch, {@link #publish}
     * does. A device polls one place, the next descriptor (2.8.2), so that one hides those behind.
     */
    private void makeAvailable(int head, int flags) {
        if (heldBack < 0) {
            heldBack = head;
            heldBackFlags = flags;
        } else {
            // A device that looks further ahead all the same finds this list complete.
            LittleEndian.putU16Release(descriptors, flagsOf(head), flags);
        }
    }

    private static long flagsOf(int descriptor) {
        return (long) descriptor * QueueMemory.DESCRIPTOR_SIZE + FLAGS;
    }

    @Override
    public boolean publish() {
        if (heldBack < 0) {
            return false;
        }
        int first = heldBack;
        int added = unpublished;
        boolean firstWrap = (heldBackFlags & VIRTQ_DESC_F_AVAIL) != 0;
        // 2.8.21.1.1: everything else of the batch is visible before these flags.
        LittleEndian.putU16Release(descriptors, flagsOf(first), heldBackFlags);
        heldBack = -1;
        unpublished = 0;
        unpublishedChains = 0;
        // 2.8.21.2.1: and these flags before the device's wish is read.
        VarHandle.fullFence();
        int event = LittleEndian.u32Opaque(deviceEvent, 0);
        int flags = event >>> 16 & 3;
        if (flags == RING_EVENT_FLAGS_DESC && eventIndex) {
            return isAmong(
                    event & 0x7fff, (event >>> WRAP_SHIFT & 1) != 0, first, firstWrap, added);
        }
        return flags != RING_EVENT_FLAGS_DISABLE;
    }

    /**
     * Whether a descriptor is one of {@code added} from {@code first} on. Offset and wrap counter
     * together name a place on a circle of two rounds.
     */
    private boolean isAmong(int offset, boolean wrap, int first, boolean firstWrap, int added) {
        int ahead = offset - first + (wrap == firstWrap ? 0 : size);
        return Math.floorMod(ahead, 2 * size) < added;
    }

    @Override
    public int reap(UsedBuffers into, int max) {
        int reaped = 0;
        while (reaped < max && outstanding > unpublishedChains && isUsed()) {
            long at = (long) nextUsed * QueueMemory.DESCRIPTOR_SIZE;
            int id = LittleEndian.u16(descriptors, at + ID);
            // 2.8.4: without WRITE the length is reserved.
            long written =
                    (LittleEndian.u16(descriptors, at + FLAGS) & VIRTQ_DESC_F_WRITE) == 0
                            ? 0
                            : LittleEndian.u32(descriptors, at + LENGTH);
            if (id >= size || length[id] == 0) {
                throw new DeviceViolationException(
                        "used buffer id %d is not outstanding".formatted(id));
            }
            if (inOrder) {
                reaped += skip(into, id);
            }
            finish(id, written, into);
            reaped++;
        }
        return reaped;
    }

    /** 2.8.1: used is AVAIL and USED both equal to the device's wrap counter. */
    private boolean isUsed() {
        int flags = LittleEndian.u16Acquire(descriptors, flagsOf(nextUsed));
        return ((flags & VIRTQ_DESC_F_AVAIL) != 0) == usedWrap
                && ((flags & VIRTQ_DESC_F_USED) != 0) == usedWrap;
    }

    /** Reports what an in-order device used before {@code id} without a descriptor (2.8.8). */
    private int skip(UsedBuffers into, int id) {
        int skipped = 0;
        for (int first = order[oldest]; first != id; first = order[oldest]) {
            if (outstanding == unpublishedChains + 1) {
                throw new DeviceViolationException(
                        "used buffer id %d is not among those published".formatted(id));
            }
            finish(first, writableBytes[first], into);
            skipped++;
        }
        return skipped;
    }

    private void finish(int id, long written, UsedBuffers into) {
        // 2.8.6: the device goes on after as many descriptors as the list has.
        nextUsed += length[id];
        if (nextUsed >= size) {
            nextUsed -= size;
            usedWrap = !usedWrap;
        }
        oldest = wrapped(oldest + 1);
        outstanding--;
        free += length[id];
        length[id] = 0;
        freeIds[size - 1 - outstanding] = id;
        into.used(tokens[id], written);
    }

    @Override
    public void disarm() {
        LittleEndian.putU32Opaque(driverEvent, 0, RING_EVENT_FLAGS_DISABLE << 16);
    }

    @Override
    public boolean arm() {
        // 2.8.10: off, wrap and flags in one store, so that the device never sees half of a wish.
        int wish =
                eventIndex
                        ? RING_EVENT_FLAGS_DESC << 16 | (usedWrap ? 1 << WRAP_SHIFT : 0) | nextUsed
                        : RING_EVENT_FLAGS_ENABLE;
        LittleEndian.putU32Opaque(driverEvent, 0, wish);
        VarHandle.fullFence(); // As in 2.8.22: the wish before the second look.
        return outstanding > unpublishedChains && isUsed();
    }

    @Override
    public QueuePosition position() {
        int at = (availableWrap ? 1 << WRAP_SHIFT : 0) | nextAvailable;
        return new QueuePosition(at, at);
    }
}
