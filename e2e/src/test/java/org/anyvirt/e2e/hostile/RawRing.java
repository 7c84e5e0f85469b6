package org.anyvirt.e2e.hostile;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.driver.queue.QueueMemory;

/**
 * The driver's half of a ring without a single check: what it is told to write, it writes. Chains
 * are {@link #add}ed, and seen by the device when they are {@link #publish}ed.
 */
abstract sealed class RawRing permits RawSplitRing, RawPackedRing {
    private static final VarHandle U16 =
            ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final ValueLayout.OfShort LE16 =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt LE32 =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE64 =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final QueueMemory memory;

    RawRing(QueueMemory memory) {
        this.memory = memory;
    }

    /** Where the parts of the ring are. */
    QueueMemory memory() {
        return memory;
    }

    int size() {
        return memory.size();
    }

    /**
     * Writes a chain of these elements, with the flags that hold it together.
     *
     * @return what the device calls its head: the first descriptor's place
     */
    abstract int add(Element... chain);

    /** Makes all that was added available at once. */
    abstract void publish();

    /** How many buffers the device has used. */
    abstract int used();

    /** Writes an indirect table, as it should be in this kind of ring. */
    abstract Element table(SharedRange range, Element... entries);

    static int u16(MemorySegment memory, long at) {
        return (short) U16.getAcquire(memory, at) & 0xffff;
    }

    /** Everything written before is visible with this value. */
    static void putU16(MemorySegment memory, long at, int value) {
        U16.setRelease(memory, at, (short) value);
    }

    /** A descriptor: two 16-bit fields after address and length, whatever they are called. */
    static void put(MemorySegment table, int index, Element element, int at12, int at14) {
        long at = index * 16L;
        table.set(LE64, at, element.address());
        table.set(LE32, at + 8, (int) element.length());
        table.set(LE16, at + 12, (short) at12);
        table.set(LE16, at + 14, (short) at14);
    }
}
