package org.anyvirt.storage.file;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.anyvirt.linux.ErrnoException;
import org.anyvirt.linux.Mapping;
import org.anyvirt.virtio.memory.Buffers;

/**
 * Tells the kernel where a request's bytes are: at one address, or in iovecs; or, for direct I/O
 * that the driver's memory is not aligned for, in a bounce buffer.
 *
 * <p>Data plane: all memory is there from the start, though only what is used is ever touched.
 */
final class FileMemory implements AutoCloseable {
    /** From {@link #describe}: one address will do. */
    static final int CONTIGUOUS = 0;

    /** From {@link #describe}: a bounce buffer is needed and all are taken. */
    static final int NO_BOUNCE = -1;

    private static final int IOVECS = 128;
    private static final long IOVEC_SIZE = 16;
    private static final long PART_MAX = 1 << 30;
    private static final long BOUNCE_SIZE = 1 << 17;
    private static final int BOUNCES_MAX = 16;
    private static final long ZEROES_SIZE = 1 << 16;

    private final Mapping mapping;
    private final MemorySegment memory;
    private final long zeroesAt;
    private final long bouncesAt;
    private final long[] freeBounces;
    private int freeBounceCount;
    private final boolean direct;
    private final long addressMask;
    private final long lengthMask;
    private long address;

    FileMemory(FileStore store, int depth) throws ErrnoException {
        direct = store.isDirect();
        addressMask = store.memoryAlignment() - 1;
        lengthMask = direct ? store.limits().blockSize() - 1 : 0;
        zeroesAt = FileOpening.roundUp(depth * IOVECS * IOVEC_SIZE, 1 << 16);
        bouncesAt = zeroesAt + ZEROES_SIZE;
        int bounces = direct ? Math.min(depth, BOUNCES_MAX) : 0;
        freeBounces = new long[bounces];
        for (int i = bounces; i-- > 0; ) {
            freeBounces[freeBounceCount++] = bouncesAt + i * BOUNCE_SIZE;
        }
        mapping = Mapping.anonymous(bouncesAt + bounces * BOUNCE_SIZE);
        memory = mapping.memory();
    }

    /** Of the bytes, or of the iovecs, last described. */
    long address() {
        return address;
    }

    /**
     * Describes as much of what is left of a read or write as possible: {@code request.part}.
     *
     * @return the number of iovecs, {@link #CONTIGUOUS} or {@link #NO_BOUNCE}
     */
    int describe(FileRequest request) {
        Buffers buffers = request.buffers;
        int fragment = 0;
        long skip = request.from;
        while (skip >= buffers.size(fragment)) {
            skip -= buffers.size(fragment++);
        }
        long start = buffers.memory(fragment).address() + buffers.offset(fragment) + skip;
        long length = Math.min(buffers.size(fragment) - skip, request.left);
        if (!isAligned(start, length)) {
            return bounce(request);
        }
        request.bounced = false;
        if (length == request.left || length >= PART_MAX) {
            request.part = Math.min(length, PART_MAX);
            address = start;
            return CONTIGUOUS;
        }
        return iovecs(request, fragment, start, length);
    }

    /** Describes as many zeros as possible. */
    int describeZeroes(FileRequest request) {
        long at = iovecsOf(request);
        long part = 0;
        int count = 0;
        while (count < IOVECS && part < request.left) {
            long length = Math.min(ZEROES_SIZE, request.left - part);
            iovec(at, count++, memory.address() + zeroesAt, length);
            part += length;
        }
        request.part = part;
        address = memory.address() + at;
        return count;
    }

    /** The driver gets what was read into the bounce buffer. */
    void fromBounce(FileRequest request, long length) {
        request.buffers.put(request.from, memory, request.bounce, length);
    }

    void giveBack(FileRequest request) {
        freeBounces[freeBounceCount++] = request.bounce;
        request.bounce = -1;
    }

    /** Direct I/O goes on at multiples of the block size only. */
    long aligned(long length) {
        return length & ~lengthMask;
    }

    @Override
    public void close() {
        mapping.close();
    }

    private int iovecs(FileRequest request, int firstFragment, long start, long firstLength) {
        Buffers buffers = request.buffers;
        long at = iovecsOf(request);
        iovec(at, 0, start, firstLength);
        long part = firstLength;
        int count = 1;
        for (int i = firstFragment + 1; count < IOVECS && part < request.left; i++) {
            long next = buffers.memory(i).address() + buffers.offset(i);
            long length = Math.min(buffers.size(i), request.left - part);
            // What is not aligned is the next part's beginning.
            if (!isAligned(next, length) || part + length > PART_MAX) {
                break;
            }
            iovec(at, count++, next, length);
            part += length;
        }
        request.part = part;
        address = memory.address() + at;
        return count;
    }

    private int bounce(FileRequest request) {
        if (request.bounce < 0) {
            if (freeBounceCount == 0) {
                return NO_BOUNCE;
            }
            request.bounce = freeBounces[--freeBounceCount];
        }
        request.bounced = true;
        request.part = Math.min(request.left, BOUNCE_SIZE);
        if (request.kind == FileRequest.WRITE) {
            request.buffers.get(request.from, memory, request.bounce, request.part);
        }
        address = memory.address() + request.bounce;
        return CONTIGUOUS;
    }

    private boolean isAligned(long start, long length) {
        return !direct || ((start & addressMask) | (length & lengthMask)) == 0;
    }

    private static long iovecsOf(FileRequest request) {
        return request.slot * IOVECS * IOVEC_SIZE;
    }

    private void iovec(long at, int index, long start, long length) {
        memory.set(ValueLayout.JAVA_LONG, at + index * IOVEC_SIZE, start);
        memory.set(ValueLayout.JAVA_LONG, at + index * IOVEC_SIZE + Long.BYTES, length);
    }
}
