package org.anyvirt.virtio.memory;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The fragments of one half of a descriptor chain, resolved and pinned until its completion.
 *
 * <p>Data plane. A flyweight that is filled again for each chain; it grows to the longest chain it
 * has seen and never shrinks. Fragment {@code i} is {@code size(i)} bytes of {@code memory(i)} from
 * {@code offset(i)}: no slice is made.
 */
public final class Buffers {
    private static final int FIRST_CAPACITY = 4;
    private static final long IOVEC_SIZE = 16;
    private static final MemorySegment ZEROES = MemorySegment.ofArray(new byte[1 << 16]);

    private MemorySegment[] memory = new MemorySegment[FIRST_CAPACITY];
    private long[] offset = new long[FIRST_CAPACITY];
    private long[] size = new long[FIRST_CAPACITY];
    private int fragments;
    private long total;
    private int lastRegion;

    /** No fragments yet. */
    public Buffers() {}

    public int fragments() {
        return fragments;
    }

    public MemorySegment memory(int fragment) {
        return memory[fragment];
    }

    public long offset(int fragment) {
        return offset[fragment];
    }

    public long size(int fragment) {
        return size[fragment];
    }

    /** The bytes of all fragments together. */
    public long total() {
        return total;
    }

    /** Copies {@code length} bytes from position {@code from} of these buffers to {@code into}. */
    public void get(long from, MemorySegment into, long at, long length) {
        copy(from, into, at, length, false);
    }

    /** Copies {@code length} bytes of {@code source} to position {@code to} of these buffers. */
    public void put(long to, MemorySegment source, long at, long length) {
        copy(to, source, at, length, true);
    }

    /** Sets {@code length} bytes from position {@code from} to {@code value}. */
    public void fill(long from, long length, byte value) {
        checkRange(from, length);
        long left = length;
        long skip = from;
        for (int i = 0; left > 0; i++) {
            if (skip >= size[i]) {
                skip -= size[i];
                continue;
            }
            long part = Math.min(left, size[i] - skip);
            fill(memory[i], offset[i] + skip, part, value);
            left -= part;
            skip = 0;
        }
    }

    /** Zeroes, which data planes write, are copied: to fill takes a slice, which is an object. */
    private static void fill(MemorySegment segment, long at, long length, byte value) {
        if (value != 0) {
            segment.asSlice(at, length).fill(value);
            return;
        }
        for (long done = 0; done < length; done += ZEROES.byteSize()) {
            long part = Math.min(ZEROES.byteSize(), length - done);
            MemorySegment.copy(ZEROES, 0, segment, at + done, part);
        }
    }

    /** The byte at {@code position}, for one-byte headers and status fields. */
    public byte getByte(long position) {
        int i = fragmentAt(position);
        return memory[i].get(ValueLayout.JAVA_BYTE, offset[i] + position - startOf(i));
    }

    public void putByte(long position, byte value) {
        int i = fragmentAt(position);
        memory[i].set(ValueLayout.JAVA_BYTE, offset[i] + position - startOf(i), value);
    }

    /**
     * Writes {@code struct iovec} entries for {@code length} bytes from position {@code from}.
     *
     * @param into native memory for at least {@link #fragments()} entries of 16 bytes
     * @return the number of entries written
     */
    public int iovecs(long from, long length, MemorySegment into) {
        checkRange(from, length);
        int entries = 0;
        long left = length;
        long skip = from;
        for (int i = 0; left > 0; i++) {
            if (skip >= size[i]) {
                skip -= size[i];
                continue;
            }
            long part = Math.min(left, size[i] - skip);
            long entry = entries++ * IOVEC_SIZE;
            into.set(ValueLayout.JAVA_LONG, entry, memory[i].address() + offset[i] + skip);
            into.set(ValueLayout.JAVA_LONG, entry + Long.BYTES, part);
            left -= part;
            skip = 0;
        }
        return entries;
    }

    /** Appends a fragment; for {@link BusMemory} and for tests. */
    public void add(MemorySegment segment, long at, long length) {
        if (fragments == size.length) {
            memory = Arrays.copyOf(memory, 2 * fragments);
            offset = Arrays.copyOf(offset, 2 * fragments);
            size = Arrays.copyOf(size, 2 * fragments);
        }
        memory[fragments] = segment;
        offset[fragments] = at;
        size[fragments] = length;
        fragments++;
        total += length;
    }

    /** Forgets all fragments from number {@code count} on. */
    public void truncate(int count) {
        while (fragments > count) {
            fragments--;
            total -= size[fragments];
            memory[fragments] = null;
        }
    }

    /** Forgets all fragments. */
    public void clear() {
        truncate(0);
    }

    /**
     * Where {@link PremappedMemory} found the last fragment: the next one is likely there too. Kept
     * here and not with the regions, since queues on several threads share those.
     */
    int lastRegion() {
        return lastRegion;
    }

    void lastRegion(int region) {
        lastRegion = region;
    }

    private void copy(long position, MemorySegment other, long at, long length, boolean toHere) {
        checkRange(position, length);
        long left = length;
        long skip = position;
        long there = at;
        for (int i = 0; left > 0; i++) {
            if (skip >= size[i]) {
                skip -= size[i];
                continue;
            }
            long part = Math.min(left, size[i] - skip);
            long here = offset[i] + skip;
            if (toHere) {
                MemorySegment.copy(other, there, memory[i], here, part);
            } else {
                MemorySegment.copy(memory[i], here, other, there, part);
            }
            there += part;
            left -= part;
            skip = 0;
        }
    }

    private int fragmentAt(long position) {
        checkRange(position, 1);
        long skip = position;
        int i = 0;
        while (skip >= size[i]) {
            skip -= size[i++];
        }
        return i;
    }

    private long startOf(int fragment) {
        long start = 0;
        for (int i = 0; i < fragment; i++) {
            start += size[i];
        }
        return start;
    }

    private void checkRange(long from, long length) {
        if (from < 0 || length < 0 || from > total - length) {
            throw new IndexOutOfBoundsException(
                    "[%d, +%d) of buffers of %d bytes".formatted(from, length, total));
        }
    }
}
