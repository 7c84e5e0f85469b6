package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Pages mapped into this process until closed. Control plane; the memory is for any thread and
 * plane. If the file gets shorter than the mapping, accesses beyond its end fault: see {@link
 * NativeTransition}.
 */
public final class Mapping implements AutoCloseable {
    static final int PROT_READ = 1;
    static final int PROT_WRITE = 2;
    static final int MAP_SHARED = 0x1;
    static final int MAP_PRIVATE = 0x2;
    static final int MAP_ANONYMOUS = 0x20;
    static final int HUGETLBFS_MAGIC = 0x958458f6;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;
    private final long base;
    private final long mappedLength;

    /** {@code struct statfs}, its first two members. */
    static final class Statfs {
        static final int F_TYPE = 0;
        static final int F_BSIZE = 8;
        static final long SIZE = 120;

        private Statfs() {}
    }

    private Mapping(long base, long mappedLength, long start, long length, boolean writable) {
        this.base = base;
        this.mappedLength = mappedLength;
        memory = view(base + start, length, writable);
    }

    /**
     * Shares part of a file.
     *
     * @param fileOffset bytes; need not be a multiple of the page size
     * @param length bytes, more than 0
     */
    public static Mapping of(Fd fd, long fileOffset, long length, boolean writable)
            throws ErrnoException {
        if (fileOffset < 0 || length <= 0) {
            throw new IllegalArgumentException(
                    "cannot map " + length + " bytes at offset " + fileOffset);
        }
        long alignment = alignment(fd);
        long start = fileOffset % alignment;
        long mappedLength = roundUp(start, length, alignment);
        int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
        long base =
                Libc.mmap(mappedLength, protection, MAP_SHARED, fd.number(), fileOffset - start);
        if (isError(base)) {
            throw ErrnoException.of(
                    "mmap",
                    base,
                    "%d bytes at offset %d of %s%s"
                            .formatted(length, fileOffset, fd, writable ? "" : ", read-only"));
        }
        return new Mapping(base, mappedLength, start, length, writable);
    }

    /** New pages of zeroes, page-aligned, of this process only. */
    public static Mapping anonymous(long length) throws ErrnoException {
        if (length <= 0) {
            throw new IllegalArgumentException("cannot map " + length + " bytes");
        }
        long base = Libc.mmap(length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (isError(base)) {
            throw ErrnoException.of("mmap", base, length + " bytes, anonymous");
        }
        return new Mapping(base, length, 0, length, true);
    }

    /** Exactly the bytes asked for. */
    public MemorySegment memory() {
        return memory;
    }

    /**
     * Unmaps the pages; later accesses to {@link #memory()} throw. The kernel must have no I/O in
     * flight there.
     */
    @Override
    public void close() {
        if (!arena.scope().isAlive()) {
            return;
        }
        arena.close();
        int result = Libc.munmap(base, mappedLength);
        if (result < 0) {
            throw new AssertionError(
                    "munmap of our own mapping: " + Errno.name(-result) + ", " + mappedLength);
        }
    }

    /** Huge pages are mapped in whole ones only. */
    private static long alignment(Fd fd) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment statfs = arena.allocate(Statfs.SIZE, 8);
            int result = Libc.fstatfs(fd.number(), statfs);
            if (result < 0) {
                throw ErrnoException.of("fstatfs", result, fd.toString());
            }
            boolean huge = (int) statfs.get(JAVA_LONG, Statfs.F_TYPE) == HUGETLBFS_MAGIC;
            return huge ? statfs.get(JAVA_LONG, Statfs.F_BSIZE) : Libc.getpagesize();
        }
    }

    /** Saturates: the kernel answers a length it cannot map with ENOMEM. */
    private static long roundUp(long start, long length, long alignment) {
        long end = start + length + alignment - 1;
        return end < 0 ? Long.MAX_VALUE : end - end % alignment;
    }

    private static boolean isError(long address) {
        return address < 0; // user addresses end far below 2^63
    }

    @SuppressWarnings("restricted")
    private MemorySegment view(long address, long length, boolean writable) {
        // SAFETY: the kernel has just mapped these bytes; close() kills the segment before it
        // unmaps them.
        MemorySegment view = MemorySegment.ofAddress(address).reinterpret(length, arena, null);
        return writable ? view : view.asReadOnly();
    }
}
