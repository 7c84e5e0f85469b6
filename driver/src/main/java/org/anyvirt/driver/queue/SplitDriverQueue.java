package org.anyvirt.driver.queue;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/**
 * The driver's half of a split virtqueue (VIRTIO 1.3, 2.7). Data plane.
 *
 * <pre>
 * descriptor table   { le64 addr; le32 len; le16 flags; le16 next; } [size]
 * available ring     le16 flags; le16 idx; le16 ring[size]; le16 used_event;
 * used ring          le16 flags; le16 idx; { le32 id; le32 len; } ring[size]; le16 avail_event;
 * </pre>
 */
public final class SplitDriverQueue implements DriverQueue {
    private static final int VIRTQ_DESC_F_NEXT = 1;
    private static final int VIRTQ_DESC_F_WRITE = 2;
    private static final int VIRTQ_DESC_F_INDIRECT = 4;
    private static final int VIRTQ_AVAIL_F_NO_INTERRUPT = 1;
    private static final int VIRTQ_USED_F_NO_NOTIFY = 1;

    private static final int FLAGS = 0;
    private static final int INDEX = 2;
    private static final int RING = 4;

    private final QueueMemory memory;
    private final MemorySegment descriptors;
    private final MemorySegment available;
    private final MemorySegment used;
    private final int size;
    private final int mask;
    private final boolean eventIndex;
    private final boolean inOrder;
    private final long usedEvent;
    private final long availEvent;

    /** The descriptor after each one, of a chain or of the free list; the ring's copy may lie. */
    private final int[] next;

    private final int[] last;
    private final int[] length;
    private final long[] tokens;
    private final long[] writableBytes;

    /** The heads outstanding, oldest first, by available index; for in-order devices. */
    private final int[] order;

    private int freeHead;
    private int free;
    private int outstanding;
    private int addedIndex;
    private int publishedIndex;
    private int usedIndex;

    SplitDriverQueue(QueueMemory memory, Features accepted) {
        this.memory = memory;
        this.descriptors = memory.descriptorArea().memory();
        this.available = memory.driverArea().memory();
        this.used = memory.deviceArea().memory();
        this.size = memory.size();
        this.mask = size - 1;
        this.eventIndex = accepted.has(FeatureBits.VIRTIO_F_EVENT_IDX);
        this.inOrder = accepted.has(FeatureBits.VIRTIO_F_IN_ORDER);
        this.usedEvent = RING + 2L * size;
        this.availEvent = RING + 8L * size;
        this.next = new int[size];
        this.last = new int[size];
        this.length = new int[size];
        this.tokens = new long[size];
        this.writableBytes = new long[size];
        this.order = new int[size];
        this.free = size;
        for (int i = 0; i < size; i++) {
            next[i] = (i + 1) & mask;
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
        int needed = chain.descriptors();
        if (needed > free) {
            return false;
        }
        int head = freeHead;
        int descriptor = head;
        int tail = head;
        for (int i = 0; i < needed; i++) {
            tail = descriptor;
            boolean more = i + 1 < needed;
            if (i < chain.direct()) {
                write(descriptors, tail, chain, i, more ? VIRTQ_DESC_F_NEXT : 0, next[tail]);
            } else {
                writeIndirect(tail, chain, i);
            }
            descriptor = next[tail];
        }
        // In order, descriptors are taken in ring order and the links never change: 2.7.5.
        freeHead = descriptor;
        free -= needed;
        last[head] = tail;
        length[head] = needed;
        tokens[head] = token;
        writableBytes[head] = chain.writableBytes();
        order[addedIndex & mask] = head;
        // 2.7.13.2: the entry goes into the ring now, and is visible with the index later.
        LittleEndian.putU16(available, RING + 2L * (addedIndex & mask), head);
        addedIndex = (addedIndex + 1) & 0xffff;
        outstanding++;
        return true;
    }

    private void writeIndirect(int descriptor, DriverChain chain, int first) {
        MemorySegment tables = memory.indirectTables().memory();
        long offset = memory.tableOffset(descriptor);
        int entries = chain.elements() - first;
        int base = Math.toIntExact(offset / QueueMemory.DESCRIPTOR_SIZE);
        for (int i = 0; i < entries; i++) {
            boolean more = i + 1 < entries;
            // 2.7.5.3: next counts from the start of the table.
            write(
                    tables,
                    base + i,
                    chain,
                    first + i,
                    more ? VIRTQ_DESC_F_NEXT : 0,
                    more ? i + 1 : 0);
        }
        long at = (long) descriptor * QueueMemory.DESCRIPTOR_SIZE;
        LittleEndian.putU64(descriptors, at, memory.indirectTables().address() + offset);
        LittleEndian.putU32(descriptors, at + 8, (long) entries * QueueMemory.DESCRIPTOR_SIZE);
        LittleEndian.putU16(descriptors, at + 12, VIRTQ_DESC_F_INDIRECT);
        LittleEndian.putU16(descriptors, at + 14, 0);
    }

    private static void write(
            MemorySegment table, int index, DriverChain chain, int element, int flags, int next) {
        long at = (long) index * QueueMemory.DESCRIPTOR_SIZE;
        LittleEndian.putU64(table, at, chain.address(element));
        LittleEndian.putU32(table, at + 8, chain.length(element));
        LittleEndian.putU16(
                table, at + 12, chain.isWritable(element) ? flags | VIRTQ_DESC_F_WRITE : flags);
        LittleEndian.putU16(table, at + 14, next);
    }

    @Override
    public boolean publish() {
        int added = (addedIndex - publishedIndex) & 0xffff;
        if (added == 0) {
            return false;
        }
        // 2.7.13.3.1: descriptors and ring entries become visible before the index.
        LittleEndian.putU16Release(available, INDEX, addedIndex);
        int before = publishedIndex;
        publishedIndex = addedIndex;
        // 2.7.13.4.1: the index is visible before the device's wish is read. Release and acquire
        // do not order a store with a later load; only a full fence does.
        VarHandle.fullFence();
        if (!eventIndex) {
            return (LittleEndian.u16Opaque(used, FLAGS) & VIRTQ_USED_F_NO_NOTIFY) == 0;
        }
        // 2.7.10.1: notify when the entry with index avail_event is among those just added.
        int event = LittleEndian.u16Opaque(used, availEvent);
        return ((event - before) & 0xffff) < added;
    }

    @Override
    public int reap(UsedBuffers into, int max) {
        // 2.7.8.2: ids and lengths are read after the index that covers them.
        int pending = (LittleEndian.u16Acquire(used, INDEX) - usedIndex) & 0xffff;
        if (pending > published()) {
            throw new DeviceViolationException(
                    "used idx is %d ahead of the driver, but %d chains are outstanding"
                            .formatted(pending, published()));
        }
        int reaped = 0;
        while (pending > 0 && reaped < max) {
            long entry = RING + 8L * (usedIndex & mask);
            long id = LittleEndian.u32(used, entry);
            long written = LittleEndian.u32(used, entry + 4);
            if (id >= size || length[(int) id] == 0) {
                throw new DeviceViolationException(
                        "used id %d is not the head of a chain outstanding".formatted(id));
            }
            int batch = inOrder ? skip(into, (int) id, pending) : 0;
            finish((int) id, written, into);
            pending -= batch + 1;
            reaped += batch + 1;
        }
        return reaped;
    }

    /** Reports what an in-order device used before {@code id} without an entry (2.7.9). */
    private int skip(UsedBuffers into, int id, int pending) {
        int skipped = 0;
        for (int head = order[usedIndex & mask]; head != id; head = order[usedIndex & mask]) {
            if (++skipped == pending) {
                throw new DeviceViolationException(
                        "used id %d is not among the next %d chains in order"
                                .formatted(id, pending));
            }
            finish(head, writableBytes[head], into);
        }
        return skipped;
    }

    private void finish(int head, long written, UsedBuffers into) {
        usedIndex = (usedIndex + 1) & 0xffff;
        outstanding--;
        free += length[head];
        length[head] = 0;
        if (!inOrder) {
            next[last[head]] = freeHead;
            freeHead = head;
        }
        into.used(tokens[head], written);
    }

    private int published() {
        return (publishedIndex - usedIndex) & 0xffff;
    }

    @Override
    public void disarm() {
        if (eventIndex) {
            // 2.7.7.1: flags stay 0. The entry just behind comes round after 65536 more.
            LittleEndian.putU16Opaque(available, usedEvent, usedIndex - 1);
        } else {
            LittleEndian.putU16Opaque(available, FLAGS, VIRTQ_AVAIL_F_NO_INTERRUPT);
        }
    }

    @Override
    public boolean arm() {
        if (eventIndex) {
            LittleEndian.putU16Opaque(available, usedEvent, usedIndex);
        } else {
            LittleEndian.putU16Opaque(available, FLAGS, 0);
        }
        // 2.7.14: the wish is visible before the index is read again, or a notification is missed.
        VarHandle.fullFence();
        return LittleEndian.u16Acquire(used, INDEX) != usedIndex;
    }

    @Override
    public QueuePosition position() {
        return new QueuePosition(publishedIndex, publishedIndex);
    }
}
