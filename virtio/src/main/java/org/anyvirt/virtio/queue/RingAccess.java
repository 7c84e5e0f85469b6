package org.anyvirt.virtio.queue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.anyvirt.virtio.memory.Access;
import org.anyvirt.virtio.memory.BusMemory;
import org.anyvirt.virtio.memory.UnmappedRangeException;

/**
 * Reads and writes of ring memory, little-endian as all of VIRTIO 1.3, 2.7 and 2.8 is.
 *
 * <p>Data plane. The driver may change every byte at any moment. A read here happens once: a Java
 * local has one value, whatever the memory does later, so what was checked is what is used.
 *
 * <p>A peer may also take the memory away, and HotSpot's handler of that fault must know the
 * instruction in order to go on behind it; of one that it does not know it makes the end of the
 * process (JDK 25, x86-64). Such are exchanges of 16 and 8 bits, by which a method that is not yet
 * compiled does opaque and release stores of those sizes, and {@code movslq}, the load of an int
 * that is used as a long. So 16 bits are stored plainly, behind a fence where order matters, and an
 * int stays an int. Whoever adds an access tests it with memory that is gone, interpreted and
 * compiled.
 */
final class RingAccess {
    private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
    private static final ValueLayout.OfLong LONG_ANYWHERE =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(LE);
    private static final VarHandle SHORT = ValueLayout.JAVA_SHORT.withOrder(LE).varHandle();
    private static final VarHandle INT = ValueLayout.JAVA_INT.withOrder(LE).varHandle();
    private static final VarHandle LONG = ValueLayout.JAVA_LONG.withOrder(LE).varHandle();

    private RingAccess() {}

    static int u16(MemorySegment ring, long at) {
        return (short) SHORT.get(ring, at) & 0xffff;
    }

    static int u16Acquire(MemorySegment ring, long at) {
        return (short) SHORT.getAcquire(ring, at) & 0xffff;
    }

    static void putU16(MemorySegment ring, long at, int value) {
        SHORT.set(ring, at, (short) value);
    }

    static void putU16Release(MemorySegment ring, long at, int value) {
        VarHandle.releaseFence();
        SHORT.set(ring, at, (short) value);
    }

    static int u32(MemorySegment ring, long at) {
        return (int) INT.getOpaque(ring, at);
    }

    static void putU32(MemorySegment ring, long at, int value) {
        INT.setOpaque(ring, at, value);
    }

    static long u64(MemorySegment ring, long at) {
        return (long) LONG.get(ring, at);
    }

    static long u64Acquire(MemorySegment ring, long at) {
        return (long) LONG.getAcquire(ring, at);
    }

    static void putU64(MemorySegment ring, long at, long value) {
        LONG.set(ring, at, value);
    }

    static void putU64Release(MemorySegment ring, long at, long value) {
        LONG.setRelease(ring, at, value);
    }

    /** For indirect tables and used ring entries, which need not be aligned to eight bytes. */
    static long u64Anywhere(MemorySegment memory, long at) {
        return memory.get(LONG_ANYWHERE, at);
    }

    static void putU64Anywhere(MemorySegment memory, long at, long value) {
        memory.set(LONG_ANYWHERE, at, value);
    }

    /**
     * Finds a part of a virtqueue.
     *
     * @throws IllegalArgumentException when the driver placed it at an address that VIRTIO 1.3,
     *     2.7.1 or 2.8.11 forbids
     * @throws UnmappedRangeException when it is not in one region, or cannot be accessed there
     */
    static MemorySegment area(
            BusMemory memory, long address, long length, int alignment, Access access)
            throws UnmappedRangeException {
        if ((address & (alignment - 1)) != 0) {
            throw new IllegalArgumentException(
                    "the part of the virtqueue at 0x%x is not aligned to %d bytes"
                            .formatted(address, alignment));
        }
        MemorySegment area = memory.ringArea(address, length, access);
        // Acquire and release need alignment where the memory is, too.
        if (area.maxByteAlignment() < alignment || (area.address() & (alignment - 1)) != 0) {
            throw new UnmappedRangeException(
                    address,
                    length,
                    "is mapped at 0x%x, not aligned to %d bytes"
                            .formatted(area.address(), alignment));
        }
        return area;
    }

    /** Memory of nobody, for a queue whose ring is gone. */
    static MemorySegment scratch(long length, int alignment) {
        return Arena.ofAuto().allocate(length, alignment);
    }
}
