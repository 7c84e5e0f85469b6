package org.anyvirt.virtio.raw;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.anyvirt.virtio.queue.QueueLayout;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/** A packed ring written by hand. */
public final class RawPackedRing extends RawRing {
    /** Bits of a descriptor's flags. */
    public static final int AVAIL = 0x80;

    public static final int USED = 0x8000;

    private final long ringAt;
    private final long driverEventAt;
    private final long deviceEventAt;
    private final MemorySegment ring;
    private final MemorySegment driverEvent;
    private final MemorySegment deviceEvent;
    private final int[] freeIds;
    private final int[] chainLength;
    private int freeIdCount;
    private int free;
    private int nextAvailable;
    private boolean availableWrap = true;
    private int nextUsed;
    private boolean usedWrap = true;

    public RawPackedRing(GuestMemory guest, int size) {
        super(guest, size);
        ringAt = guest.allocate(16L * size, 16);
        driverEventAt = guest.allocate(4, 4);
        deviceEventAt = guest.allocate(4, 4);
        ring = guest.at(ringAt, 16L * size);
        driverEvent = guest.at(driverEventAt, 4);
        deviceEvent = guest.at(deviceEventAt, 4);
        freeIds = new int[size];
        chainLength = new int[size];
        for (int i = 0; i < size; i++) {
            freeIds[i] = size - 1 - i;
        }
        freeIdCount = size;
        free = size;
    }

    @Override
    public QueueLayout layout() {
        return new QueueLayout(size, ringAt, driverEventAt, deviceEventAt);
    }

    @Override
    public QueuePosition start() {
        int at = nextUsed | (usedWrap ? 1 << 15 : 0);
        return new QueuePosition(at, at);
    }

    @Override
    public Features kind() {
        return Features.of(FeatureBits.VIRTIO_F_RING_PACKED);
    }

    /** Starts elsewhere; before anything is offered. */
    public void startAt(int offset, boolean wrap) {
        nextAvailable = offset;
        nextUsed = offset;
        availableWrap = wrap;
        usedWrap = wrap;
        for (int i = 0; i < size; i++) {
            // As if all had been used: flags equal, and of the lap before.
            boolean lap = i < offset ? wrap : !wrap;
            ring.set(U16, 16L * i + 14, (short) (lap ? AVAIL | USED : 0));
        }
    }

    /** Writes a descriptor as it is. */
    public void descriptor(int i, long address, long length, int id, int flags) {
        ring.set(U64, 16L * i, address);
        ring.set(U32, 16L * i + 8, (int) length);
        ring.set(U16, 16L * i + 12, (short) id);
        VarHandle.releaseFence();
        ring.set(U16, 16L * i + 14, (short) flags);
    }

    /** The AVAIL and USED bits of an available descriptor {@code ahead} of the next one. */
    public int availableFlags(int ahead) {
        boolean wrap = availableWrap ^ (nextAvailable + ahead >= size);
        return wrap ? AVAIL : USED;
    }

    /** The flags in the ring. */
    public int flags(int i) {
        return ring.get(U16, 16L * i + 14) & 0xffff;
    }

    public void driverEvent(int offWrap, int flags) {
        driverEvent.set(U16, 0, (short) offWrap);
        driverEvent.set(U16, 2, (short) flags);
        VarHandle.fullFence();
    }

    public int deviceEventOffWrap() {
        return deviceEvent.get(U16, 0) & 0xffff;
    }

    public int deviceEventFlags() {
        return deviceEvent.get(U16, 2) & 0xffff;
    }

    @Override
    public int offer(Element... elements) {
        return offerIndirect(0, elements);
    }

    @Override
    public int offerIndirect(int count, Element... elements) {
        int direct = elements.length - count + (count > 0 ? 1 : 0);
        int id = freeIds[--freeIdCount];
        chainLength[id] = direct;
        free -= direct;
        int headAt = nextAvailable;
        int headFlags = 0;
        for (int i = 0; i < direct; i++) {
            boolean table = count > 0 && i == direct - 1;
            int flags =
                    (availableWrap ? AVAIL : USED)
                            | (i + 1 < direct ? NEXT : 0)
                            | (table ? INDIRECT : elements[i].writable() ? WRITE : 0);
            long address = table ? table(id, count, elements) : elements[i].address();
            long length = table ? 16L * count : elements[i].length();
            if (i == 0) {
                headFlags = flags;
                flags = this.flags(headAt);
            }
            // Only the last descriptor's id counts.
            descriptor(nextAvailable, address, length, i + 1 < direct ? 0xbeef : id, flags);
            if (++nextAvailable == size) {
                nextAvailable = 0;
                availableWrap = !availableWrap;
            }
        }
        VarHandle.releaseFence();
        ring.set(U16, 16L * headAt + 14, (short) headFlags);
        VarHandle.fullFence();
        return id;
    }

    @Override
    public void tableEntry(MemorySegment table, int entry, Element element, boolean more) {
        table.set(U64, 16L * entry, element.address());
        table.set(U32, 16L * entry + 8, (int) element.length());
        table.set(U16, 16L * entry + 12, (short) 0xabcd);
        table.set(U16, 16L * entry + 14, (short) (element.writable() ? WRITE : 0));
    }

    @Override
    public int free() {
        return Math.min(free, freeIdCount);
    }

    @Override
    public Used poll() {
        int flags = flags(nextUsed);
        VarHandle.acquireFence();
        if ((flags & (AVAIL | USED)) != (usedWrap ? AVAIL | USED : 0) || free == size) {
            return null;
        }
        boolean written = (flags & WRITE) != 0;
        int id = ring.get(U16, 16L * nextUsed + 12) & 0xffff;
        long length = written ? Integer.toUnsignedLong(ring.get(U32, 16L * nextUsed + 8)) : 0;
        freeIds[freeIdCount++] = id;
        free += chainLength[id];
        nextUsed += chainLength[id];
        if (nextUsed >= size) {
            nextUsed -= size;
            usedWrap = !usedWrap;
        }
        return new Used(id, length);
    }

    @Override
    public void wantNextUsed() {
        driverEvent(nextUsed | (usedWrap ? 1 << 15 : 0), 2);
    }

    @Override
    public void wantUsed(boolean wanted) {
        driverEvent(0, wanted ? 0 : 1);
    }

    @Override
    public int offered() {
        return nextAvailable | (availableWrap ? 1 << 15 : 0);
    }

    @Override
    public boolean deviceWants(int before, boolean eventIdx) {
        VarHandle.fullFence();
        if (deviceEventFlags() != 2) {
            return deviceEventFlags() == 0;
        }
        return passes(before, offered(), deviceEventOffWrap());
    }

    @Override
    public int polled() {
        return nextUsed | (usedWrap ? 1 << 15 : 0);
    }

    @Override
    public boolean driverWants(int before, boolean eventIdx) {
        int flags = driverEvent.get(U16, 2);
        if (flags != 2) {
            return before != polled() && flags == 0;
        }
        return passes(before, polled(), driverEvent.get(U16, 0) & 0xffff);
    }

    private boolean passes(int from, int to, int event) {
        int at = from;
        while (at != to) {
            if (at == event) {
                return true;
            }
            at = at + 1;
            if ((at & 0x7fff) == size) {
                at = (at & 1 << 15) ^ 1 << 15;
            }
        }
        return false;
    }
}
