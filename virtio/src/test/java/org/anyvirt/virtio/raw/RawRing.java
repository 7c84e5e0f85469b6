package org.anyvirt.virtio.raw;

import static org.anyvirt.virtio.spec.DescriptorLayout.SIZE;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_INDIRECT;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_NEXT;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_WRITE;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.queue.DeviceVirtqueue;
import org.anyvirt.virtio.queue.QueueLayout;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.queue.Virtqueues;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/**
 * A ring written by hand, honestly or not: the driver's half for tests, sharing no code with the
 * device's. Layouts are written out here again, so that a wrong constant shows.
 */
public abstract sealed class RawRing permits RawSplitRing, RawPackedRing {
    protected static final ValueLayout.OfShort U16 =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    protected static final ValueLayout.OfInt U32 =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    protected static final ValueLayout.OfLong U64 =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** A descriptor that says that its buffer is a table. */
    public static final int INDIRECT = VIRTQ_DESC_F_INDIRECT;

    private static final int SHORT_TABLE = 16;

    public static final int NEXT = VIRTQ_DESC_F_NEXT;
    public static final int WRITE = VIRTQ_DESC_F_WRITE;

    protected final GuestMemory guest;
    protected final int size;
    private long tables;

    protected RawRing(GuestMemory guest, int size) {
        this.guest = guest;
        this.size = size;
    }

    public static RawRing create(boolean packed, GuestMemory guest, int size) {
        return packed ? new RawPackedRing(guest, size) : new RawSplitRing(guest, size);
    }

    public GuestMemory guest() {
        return guest;
    }

    public int size() {
        return size;
    }

    public abstract QueueLayout layout();

    public abstract QueuePosition start();

    /** The feature bits of the ring's kind. */
    public abstract Features kind();

    /**
     * Makes a buffer of direct descriptors available.
     *
     * @return the head or the buffer id
     */
    public abstract int offer(Element... elements);

    /** Makes a buffer available whose last {@code count} elements are in an indirect table. */
    public abstract int offerIndirect(int count, Element... elements);

    /** How many descriptors the driver may still use. */
    public abstract int free();

    /** The next used buffer, or null. */
    public abstract Used poll();

    /** Wants a used buffer notification for the next used buffer; with EVENT_IDX. */
    public abstract void wantNextUsed();

    /** Wants none, or all, without EVENT_IDX. */
    public abstract void wantUsed(boolean wanted);

    /** Marks the place for {@link #driverWants}: what was polled so far. */
    public abstract int polled();

    /** Whether the driver wants to be notified of what was used since {@code before}. */
    public abstract boolean driverWants(int before, boolean eventIdx);

    /** Whether the device wants to be notified of what was offered since {@code before}. */
    public abstract boolean deviceWants(int before, boolean eventIdx);

    /** Marks the place for {@link #deviceWants}. */
    public abstract int offered();

    /** Fills an entry of an indirect table. */
    public abstract void tableEntry(MemorySegment table, int entry, Element element, boolean more);

    public DeviceVirtqueue device(int... features) throws UnmappedRangeException {
        return device(() -> {}, features);
    }

    public DeviceVirtqueue device(Runnable wake, int... features) throws UnmappedRangeException {
        return Virtqueues.create(0, layout(), start(), features(features), guest.bus(), wake);
    }

    public Features features(int... features) {
        return Features.of(features).or(kind()).with(FeatureBits.VIRTIO_F_VERSION_1);
    }

    /** Builds the table of the last {@code count} elements of buffer {@code id}. */
    protected long table(int id, int count, Element... elements) {
        long address = tableAddress(id, count);
        MemorySegment table = guest.at(address, (long) count * SIZE);
        for (int i = 0; i < count; i++) {
            tableEntry(table, i, elements[elements.length - count + i], i < count - 1);
        }
        return address;
    }

    /** Short tables have their place by id, so that a test may offer many buffers. */
    private long tableAddress(int id, int count) {
        if (count > SHORT_TABLE) {
            return guest.allocate((long) count * SIZE, 16);
        }
        if (tables == 0) {
            tables = guest.allocate((long) size * SHORT_TABLE * SIZE, 16);
        }
        return tables + (long) id * SHORT_TABLE * SIZE;
    }
}
