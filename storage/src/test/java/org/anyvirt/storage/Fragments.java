package org.anyvirt.storage;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import org.anyvirt.virtio.memory.Buffers;

/** Buffers as a driver may lay them out. */
public final class Fragments {
    private Fragments() {}

    /** One fragment, aligned for direct I/O. */
    public static Buffers whole(Arena arena, long length) {
        Buffers buffers = new Buffers();
        buffers.add(arena.allocate(length, 4096), 0, length);
        return buffers;
    }

    /** {@code count} fragments of {@code size} bytes, each {@code gap} behind the one before. */
    public static Buffers equal(Arena arena, int count, long size, long gap) {
        Buffers buffers = new Buffers();
        MemorySegment memory = arena.allocate(count * (size + gap) + gap, 4096);
        for (int i = 0; i < count; i++) {
            buffers.add(memory, gap + i * (size + gap), size);
        }
        return buffers;
    }

    /** Fragments of random sizes at random addresses, on multiples of {@code alignment}. */
    public static Buffers random(
            Arena arena, SplittableRandom random, long length, long alignment) {
        Buffers buffers = new Buffers();
        MemorySegment memory = arena.allocate(2 * length + 64 * alignment, 4096);
        long at = random.nextInt(8) * alignment;
        long left = length;
        while (left > 0) {
            long longest = 1 + random.nextLong(Math.max(1, left / alignment));
            long size = Math.min(left, random.nextBoolean() ? left : longest * alignment);
            buffers.add(memory, at, size);
            left -= size;
            at += size + (at + size + left < length + 32 * alignment ? alignment : 0);
        }
        return buffers;
    }

    public static byte[] bytes(Buffers buffers, long from, long length) {
        byte[] bytes = new byte[Math.toIntExact(length)];
        buffers.get(from, MemorySegment.ofArray(bytes), 0, length);
        return bytes;
    }
}
