package org.anyvirt.driver.queue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Reads and writes the fields of virtqueues, each in the memory order that it needs. */
final class LittleEndian {
    private static final VarHandle U16 =
            ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final VarHandle U32 =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final VarHandle U64 =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

    private LittleEndian() {}

    static int u16(MemorySegment memory, long offset) {
        return (short) U16.get(memory, offset) & 0xffff;
    }

    static int u16Opaque(MemorySegment memory, long offset) {
        return (short) U16.getOpaque(memory, offset) & 0xffff;
    }

    static int u16Acquire(MemorySegment memory, long offset) {
        return (short) U16.getAcquire(memory, offset) & 0xffff;
    }

    static void putU16(MemorySegment memory, long offset, int value) {
        U16.set(memory, offset, (short) value);
    }

    static void putU16Opaque(MemorySegment memory, long offset, int value) {
        U16.setOpaque(memory, offset, (short) value);
    }

    static void putU16Release(MemorySegment memory, long offset, int value) {
        U16.setRelease(memory, offset, (short) value);
    }

    static long u32(MemorySegment memory, long offset) {
        return (int) U32.get(memory, offset) & 0xffff_ffffL;
    }

    static int u32Opaque(MemorySegment memory, long offset) {
        return (int) U32.getOpaque(memory, offset);
    }

    static void putU32(MemorySegment memory, long offset, long value) {
        U32.set(memory, offset, (int) value);
    }

    static void putU32Opaque(MemorySegment memory, long offset, int value) {
        U32.setOpaque(memory, offset, value);
    }

    static void putU64(MemorySegment memory, long offset, long value) {
        U64.set(memory, offset, value);
    }
}
