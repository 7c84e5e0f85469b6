package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.Path;

/**
 * What is done with an open file or block device. Control plane. Offsets, lengths and sizes are
 * bytes.
 */
public final class OpenFile {
    public static final int O_RDONLY = 0;
    public static final int O_WRONLY = 1;
    public static final int O_RDWR = 2;
    public static final int O_CREAT = 0100;
    public static final int O_EXCL = 0200;
    public static final int O_TRUNC = 01000;
    public static final int O_NONBLOCK = 04000;
    public static final int O_DSYNC = 010000;
    public static final int O_DIRECT = Architecture.AARCH64 ? 0200000 : 040000;
    public static final int O_DIRECTORY = Architecture.AARCH64 ? 040000 : 0200000;
    public static final int O_NOFOLLOW = Architecture.AARCH64 ? 0100000 : 0400000;
    public static final int O_CLOEXEC = 02000000;

    public static final int FALLOC_FL_KEEP_SIZE = 0x1;
    public static final int FALLOC_FL_PUNCH_HOLE = 0x2;
    public static final int FALLOC_FL_ZERO_RANGE = 0x10;

    static final int F_GETFL = 3;
    static final int F_SETFL = 4;
    static final int F_OFD_SETLK = 37;
    static final short F_RDLCK = 0;
    static final short F_WRLCK = 1;
    static final short F_UNLCK = 2;
    static final int AT_EMPTY_PATH = 0x1000;
    static final int STATX_BASIC_STATS = 0x7ff;
    static final int STATX_DIOALIGN = 0x2000;
    static final long BLKSSZGET = 0x1268;
    static final long BLKDISCARD = 0x1277;
    static final long BLKZEROOUT = 0x127f;
    static final long BLKGETSIZE64 = 0x80081272L;

    private static final int DIRECT_ALIGNMENT_UNKNOWN =
            4096; // fits every logical block size of Linux's disks

    private OpenFile() {}

    /** {@code struct statx}. */
    static final class Statx {
        static final int STX_MASK = 0;
        static final int STX_MODE = 28;
        static final int STX_INO = 32;
        static final int STX_SIZE = 40;
        static final int STX_BLOCKS = 48;
        static final int STX_DEV_MAJOR = 136;
        static final int STX_DEV_MINOR = 140;
        static final int STX_DIO_MEM_ALIGN = 152;
        static final int STX_DIO_OFFSET_ALIGN = 156;
        static final long SIZE = 256;

        private Statx() {}
    }

    static final class Flock {
        static final int L_TYPE = 0;
        static final long SIZE = 32;

        private Flock() {}
    }

    /**
     * @param flags {@code O_*}; {@link #O_CLOEXEC} is always added
     * @param mode permissions of a file that {@link #O_CREAT} makes, less the umask
     */
    public static Fd open(Path path, int flags, int mode) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(path.toString());
            int result;
            do {
                result = Libc.open(name, flags | O_CLOEXEC, mode);
            } while (result == -Errno.EINTR);
            if (result < 0) {
                throw ErrnoException.of("open", result, "%s, flags 0%o".formatted(path, flags));
            }
            return new Fd(result);
        }
    }

    public static FileStat stat(Fd fd) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment statx = statx(arena, fd, STATX_BASIC_STATS);
            long device =
                    Integer.toUnsignedLong(statx.get(JAVA_INT, Statx.STX_DEV_MAJOR)) << 32
                            | Integer.toUnsignedLong(statx.get(JAVA_INT, Statx.STX_DEV_MINOR));
            return new FileStat(
                    Short.toUnsignedInt(statx.get(JAVA_SHORT, Statx.STX_MODE)),
                    statx.get(JAVA_LONG, Statx.STX_SIZE),
                    device,
                    statx.get(JAVA_LONG, Statx.STX_INO),
                    statx.get(JAVA_LONG, Statx.STX_BLOCKS));
        }
    }

    /** Sets the size; new bytes read as zeroes and take no storage. */
    public static void truncate(Fd fd, long size) throws ErrnoException {
        int result;
        do {
            result = Libc.ftruncate(fd.number(), size);
        } while (result == -Errno.EINTR);
        check("ftruncate", result, fd, size + " bytes");
    }

    /**
     * @param mode 0 to reserve storage, else {@code FALLOC_FL_*}; works on block devices for hole
     *     and zeroes
     */
    public static void fallocate(Fd fd, int mode, long offset, long length) throws ErrnoException {
        int result;
        do {
            result = Libc.fallocate(fd.number(), mode, offset, length);
        } while (result == -Errno.EINTR);
        if (result < 0) { // data planes come here: words are made when there is need
            String detail = "%s, mode 0x%x, %s".formatted(fd, mode, range(offset, length));
            throw ErrnoException.of("fallocate", result, detail);
        }
    }

    /** Returns when data and metadata are on stable storage. */
    public static void sync(Fd fd) throws ErrnoException {
        check("fsync", Libc.fsync(fd.number()), fd, "");
    }

    /** Returns when the data, and what is needed to read it back, are on stable storage. */
    public static void dataSync(Fd fd) throws ErrnoException {
        check("fdatasync", Libc.fdatasync(fd.number()), fd, "");
    }

    /**
     * Reads at an offset, as pread(2): how many bytes, 0 at the end of the file, fewer than asked
     * now and then.
     */
    public static int read(Fd fd, MemorySegment into, long at, long length, long fileOffset)
            throws ErrnoException {
        long address = Libc.address(into, at, length);
        long result;
        do {
            result = Libc.pread(fd.number(), address, length, fileOffset);
        } while (result == -Errno.EINTR);
        Reference.reachabilityFence(into);
        return check("pread", (int) result, fd, range(fileOffset, length));
    }

    /** Writes at an offset, as pwrite(2): how many bytes, fewer than asked now and then. */
    public static int write(Fd fd, MemorySegment from, long at, long length, long fileOffset)
            throws ErrnoException {
        long address = Libc.address(from, at, length);
        long result;
        do {
            result = Libc.pwrite(fd.number(), address, length, fileOffset);
        } while (result == -Errno.EINTR);
        Reference.reachabilityFence(from);
        return check("pwrite", (int) result, fd, range(fileOffset, length));
    }

    /**
     * Locks the whole file, open for writing, against every other opening of it, in this process
     * too, until the last duplicate of the descriptor is closed (open file description lock,
     * fcntl(2)). Does not wait.
     *
     * @return false when another holds a lock
     */
    public static boolean lockExclusive(Fd fd) throws ErrnoException {
        return lock(fd, F_WRLCK);
    }

    /**
     * As {@link #lockExclusive}, but beside others that lock shared; the file is open for reading.
     */
    public static boolean lockShared(Fd fd) throws ErrnoException {
        return lock(fd, F_RDLCK);
    }

    public static void unlock(Fd fd) throws ErrnoException {
        lock(fd, F_UNLCK);
    }

    /** The size of a block device. */
    public static long blockDeviceSize(Fd fd) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment size = arena.allocate(JAVA_LONG);
            ioctl(fd, "BLKGETSIZE64", BLKGETSIZE64, size.address());
            return size.get(JAVA_LONG, 0);
        }
    }

    /** The unit that a block device addresses. */
    public static int logicalBlockSize(Fd fd) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment size = arena.allocate(JAVA_INT);
            ioctl(fd, "BLKSSZGET", BLKSSZGET, size.address());
            return size.get(JAVA_INT, 0);
        }
    }

    /**
     * Tells a block device that whole blocks are unused; what they then hold is the device's
     * choice.
     */
    public static void discardBlocks(Fd fd, long offset, long length) throws ErrnoException {
        blocks(fd, "BLKDISCARD", BLKDISCARD, offset, length);
    }

    /** Writes zeroes to whole blocks of a block device, which does it by itself if it can. */
    public static void zeroBlocks(Fd fd, long offset, long length) throws ErrnoException {
        blocks(fd, "BLKZEROOUT", BLKZEROOUT, offset, length);
    }

    /**
     * Asks a driver something: its answer, not negative.
     *
     * @param name of the request, for the error message
     * @param argument a number, or the address of memory as the request defines it
     */
    public static int ioctl(Fd fd, String name, long request, long argument) throws ErrnoException {
        int result = Libc.ioctl(fd.number(), request, argument);
        return check("ioctl(" + name + ")", result, fd, "argument 0x%x".formatted(argument));
    }

    /**
     * What O_DIRECT needs on this file; 4096 for both where the kernel or the file system does not
     * tell.
     */
    public static DirectAlignment directAlignment(Fd fd) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment statx = statx(arena, fd, STATX_BASIC_STATS | STATX_DIOALIGN);
            if ((statx.get(JAVA_INT, Statx.STX_MASK) & STATX_DIOALIGN) != 0) {
                return new DirectAlignment(
                        statx.get(JAVA_INT, Statx.STX_DIO_MEM_ALIGN),
                        statx.get(JAVA_INT, Statx.STX_DIO_OFFSET_ALIGN));
            }
        }
        if (stat(fd).isBlockDevice()) {
            int block = logicalBlockSize(fd);
            return new DirectAlignment(block, block);
        }
        return new DirectAlignment(DIRECT_ALIGNMENT_UNKNOWN, DIRECT_ALIGNMENT_UNKNOWN);
    }

    public static void setNonBlocking(Fd fd) throws ErrnoException {
        int flags = statusFlags(fd) | O_NONBLOCK;
        check("fcntl(F_SETFL)", Libc.fcntl(fd.number(), F_SETFL, flags), fd, "O_NONBLOCK");
    }

    /** The access mode and {@code O_*} status flags of the open file description. */
    public static int statusFlags(Fd fd) throws ErrnoException {
        return check("fcntl(F_GETFL)", Libc.fcntl(fd.number(), F_GETFL, 0), fd, "");
    }

    private static void blocks(Fd fd, String name, long request, long offset, long length)
            throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment range = arena.allocateFrom(JAVA_LONG, offset, length);
            int result = Libc.ioctl(fd.number(), request, range.address());
            check("ioctl(" + name + ")", result, fd, range(offset, length));
        }
    }

    private static boolean lock(Fd fd, short type) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            // Zeroes elsewhere: from the start of the file (SEEK_SET) to its end, however it grows.
            MemorySegment flock = arena.allocate(Flock.SIZE, 8);
            flock.set(JAVA_SHORT, Flock.L_TYPE, type);
            int result = Libc.fcntl(fd.number(), F_OFD_SETLK, flock.address());
            if (result == -Errno.EAGAIN || result == -Errno.EACCES) {
                return false;
            }
            check("fcntl(F_OFD_SETLK)", result, fd, "lock type " + type);
            return true;
        }
    }

    private static MemorySegment statx(Arena arena, Fd fd, int mask) throws ErrnoException {
        MemorySegment statx = arena.allocate(Statx.SIZE, 8);
        MemorySegment empty = arena.allocate(1);
        check("statx", Libc.statx(fd.number(), empty, AT_EMPTY_PATH, mask, statx), fd, "");
        return statx;
    }

    private static String range(long offset, long length) {
        return length + " bytes at offset " + offset;
    }

    private static int check(String call, int result, Fd fd, String detail) throws ErrnoException {
        if (result < 0) {
            String arguments = detail.isEmpty() ? fd.toString() : fd + ", " + detail;
            throw ErrnoException.of(call, result, arguments);
        }
        return result;
    }
}
