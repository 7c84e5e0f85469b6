package org.anyvirt.driver.block;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * What a load wrote where, so that it can tell what it ought to read. Each word of a block follows
 * from the seed, the block's number, how often the block was written, and the word's place: a block
 * at the wrong place, an old one, or a torn one shows.
 *
 * <p>Data plane: no allocation, except to describe a mismatch.
 */
final class BlockContents {
    private static final ValueLayout.OfLong WORD =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int UNKNOWN = -1;
    private static final long GOLDEN = 0x9e3779b97f4a7c15L;

    private final int[] versions;
    private final boolean[] busy;
    private final int blockSize;
    private final long seed;

    BlockContents(int blocks, int blockSize, long seed) {
        this.versions = new int[blocks];
        this.busy = new boolean[blocks];
        this.blockSize = blockSize;
        this.seed = seed;
    }

    /** Takes the first block from {@code wish} on that no request is under way for. */
    int take(int wish) {
        int block = wish;
        while (busy[block]) {
            block = block + 1 == busy.length ? 0 : block + 1;
        }
        busy[block] = true;
        return block;
    }

    /** The next content of a block that was taken. */
    void fill(int block, MemorySegment into, long at) {
        long key = key(block, versions[block] + 1);
        for (int i = 0; i < blockSize; i += Long.BYTES) {
            into.set(WORD, at + i, mix(key + i * GOLDEN));
        }
    }

    /** The write of a block that was taken has ended. */
    void written(int block, boolean ok) {
        versions[block] = ok && versions[block] != UNKNOWN ? versions[block] + 1 : UNKNOWN;
        busy[block] = false;
    }

    /** The read of a block that was taken has ended. */
    void read(int block) {
        busy[block] = false;
    }

    boolean isKnown(int block) {
        return versions[block] > 0;
    }

    /**
     * Compares a block with what was written last.
     *
     * @return null when they agree, or nothing is known
     */
    String mismatch(int block, MemorySegment from, long at) {
        if (!isKnown(block)) {
            return null;
        }
        long key = key(block, versions[block]);
        for (int i = 0; i < blockSize; i += Long.BYTES) {
            long expected = mix(key + i * GOLDEN);
            long found = from.get(WORD, at + i);
            if (found != expected) {
                return "block %d, written %d times, at byte %d: 0x%016x, not 0x%016x"
                        .formatted(block, versions[block], i, found, expected);
            }
        }
        return null;
    }

    private long key(int block, int version) {
        return mix(seed + ((long) block << 32 | version));
    }

    /** The finaliser of SplitMix64 (Steele, Lea, Flood 2014). */
    static long mix(long value) {
        long z = (value ^ value >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }
}
