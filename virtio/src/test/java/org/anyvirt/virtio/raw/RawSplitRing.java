package org.anyvirt.virtio.raw;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.anyvirt.virtio.queue.QueueLayout;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.spec.Features;

/** A split ring written by hand. */
public final class RawSplitRing extends RawRing {
    private final long descriptorsAt;
    private final long availableAt;
    private final long usedAt;
    private final MemorySegment descriptors;
    private final MemorySegment available;
    private final MemorySegment used;
    private final int[] freeList;
    private final int[] chainLength;
    private int free;
    private int availableIdx;
    private int usedSeen;

    public RawSplitRing(GuestMemory guest, int size) {
        this(guest, size, 0);
    }

    /** With indexes that start at {@code first}. */
    public RawSplitRing(GuestMemory guest, int size, int first) {
        super(guest, size);
        descriptorsAt = guest.allocate(16L * size, 16);
        availableAt = guest.allocate(6 + 2L * size, 2);
        usedAt = guest.allocate(6 + 8L * size, 4);
        descriptors = guest.at(descriptorsAt, 16L * size);
        available = guest.at(availableAt, 6 + 2L * size);
        used = guest.at(usedAt, 6 + 8L * size);
        availableIdx = first;
        usedSeen = first;
        available.set(U16, 2, (short) first);
        used.set(U16, 2, (short) first);
        freeList = new int[size];
        chainLength = new int[size];
        for (int i = 0; i < size; i++) {
            freeList[i] = size - 1 - i;
        }
        free = size;
    }

    @Override
    public QueueLayout layout() {
        return new QueueLayout(size, descriptorsAt, availableAt, usedAt);
    }

    @Override
    public QueuePosition start() {
        return new QueuePosition(usedSeen, usedSeen);
    }

    @Override
    public Features kind() {
        return Features.NONE;
    }

    public void descriptor(int i, long address, long length, int flags, int next) {
        descriptors.set(U64, 16L * i, address);
        descriptors.set(U32, 16L * i + 8, (int) length);
        descriptors.set(U16, 16L * i + 12, (short) flags);
        descriptors.set(U16, 16L * i + 14, (short) next);
    }

    /** Puts {@code head} into the next available entry. */
    public void available(int head) {
        available.set(U16, 4 + 2L * (availableIdx & (size - 1)), (short) head);
        availableIdx(availableIdx + 1);
    }

    public void availableIdx(int idx) {
        availableIdx = idx & 0xffff;
        VarHandle.releaseFence();
        available.set(U16, 2, (short) idx);
        VarHandle.fullFence();
    }

    public void availableFlags(int flags) {
        available.set(U16, 0, (short) flags);
    }

    public void usedEvent(int event) {
        available.set(U16, 4 + 2L * size, (short) event);
    }

    public int usedFlags() {
        return used.get(U16, 0) & 0xffff;
    }

    public int usedIdx() {
        int idx = used.get(U16, 2) & 0xffff;
        VarHandle.acquireFence();
        return idx;
    }

    public int availableEvent() {
        return used.get(U16, 4 + 8L * size) & 0xffff;
    }

    @Override
    public int offer(Element... elements) {
        return offerIndirect(0, elements);
    }

    @Override
    public int offerIndirect(int count, Element... elements) {
        int direct = elements.length - count + (count > 0 ? 1 : 0);
        int head = freeList[free - 1];
        chainLength[head] = direct;
        for (int i = 0; i < direct; i++) {
            int at = freeList[--free];
            int next = i + 1 < direct ? freeList[free - 1] : 0;
            int more = i + 1 < direct ? NEXT : 0;
            if (count > 0 && i == direct - 1) {
                descriptor(at, table(head, count, elements), 16L * count, INDIRECT, 0xdead);
            } else {
                Element element = elements[i];
                int flags = more | (element.writable() ? WRITE : 0);
                descriptor(at, element.address(), element.length(), flags, next);
            }
        }
        available(head);
        return head;
    }

    @Override
    public void tableEntry(MemorySegment table, int entry, Element element, boolean more) {
        tableEntry(
                table,
                entry,
                element.address(),
                element.length(),
                (element.writable() ? WRITE : 0) | (more ? NEXT : 0),
                entry + 1);
    }

    public void tableEntry(
            MemorySegment table, int entry, long address, long length, int flags, int next) {
        table.set(U64, 16L * entry, address);
        table.set(U32, 16L * entry + 8, (int) length);
        table.set(U16, 16L * entry + 12, (short) flags);
        table.set(U16, 16L * entry + 14, (short) next);
    }

    @Override
    public int free() {
        return free;
    }

    @Override
    public Used poll() {
        if (usedIdx() == usedSeen) {
            return null;
        }
        long at = 4 + 8L * (usedSeen & (size - 1));
        Used entry = new Used(used.get(U32, at), Integer.toUnsignedLong(used.get(U32, at + 4)));
        usedSeen = (usedSeen + 1) & 0xffff;
        int next = entry.id();
        for (int i = 0; i < chainLength[entry.id()]; i++) {
            freeList[free++] = next;
            next = descriptors.get(U16, 16L * next + 14) & 0xffff;
        }
        return entry;
    }

    @Override
    public void wantNextUsed() {
        usedEvent(usedSeen);
        VarHandle.fullFence();
    }

    @Override
    public void wantUsed(boolean wanted) {
        availableFlags(wanted ? 0 : 1);
        VarHandle.fullFence();
    }

    @Override
    public int offered() {
        return availableIdx;
    }

    @Override
    public boolean deviceWants(int before, boolean eventIdx) {
        VarHandle.fullFence();
        if (!eventIdx) {
            return usedFlags() == 0;
        }
        for (int i = before; i != availableIdx; i = (i + 1) & 0xffff) {
            if (i == availableEvent()) {
                return true;
            }
        }
        return false;
    }

    @Override
    public int polled() {
        return usedSeen;
    }

    @Override
    public boolean driverWants(int before, boolean eventIdx) {
        if (!eventIdx) {
            return before != usedSeen && available.get(U16, 0) == 0;
        }
        int event = available.get(U16, 4 + 2L * size) & 0xffff;
        for (int i = before; i != usedSeen; i = (i + 1) & 0xffff) {
            if (i == event) {
                return true;
            }
        }
        return false;
    }
}
