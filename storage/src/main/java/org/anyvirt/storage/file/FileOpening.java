package org.anyvirt.storage.file;

import static org.anyvirt.linux.OpenFile.*;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.anyvirt.linux.DirectAlignment;
import org.anyvirt.linux.Errno;
import org.anyvirt.linux.ErrnoException;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.FileStat;
import org.anyvirt.linux.IoUring;
import org.anyvirt.linux.OpenFile;

/**
 * A file that has been opened, locked and measured; or why it cannot be.
 *
 * @param size in bytes, as it is
 * @param capacity in bytes, as it is served
 * @param memoryAlignment of direct I/O, in bytes
 */
record FileOpening(
        Fd fd,
        boolean blockDevice,
        long size,
        long capacity,
        int blockSize,
        int memoryAlignment,
        boolean discards) {
    private static final Logger LOG = System.getLogger(FileStore.class.getName());

    private static final int S_IFMT = 0170000;
    private static final int S_IFREG = 0100000;
    private static final int S_IFBLK = 0060000;
    private static final int S_IFDIR = 0040000;
    private static final int OWNER_READS_AND_WRITES = 0600;

    static FileOpening open(FileStore.Options options) throws IOException {
        Path path = options.path();
        boolean missing = kind(path) == 0;
        if (missing && (options.size() == null || options.readOnly())) {
            throw refused(path, "there is no such file; with size=10G one of that size is made");
        }
        Fd fd = missing ? create(options) : openExisting(options);
        try {
            checkIoUring(path);
            if (!(options.readOnly() ? lockShared(fd) : lockExclusive(fd))) {
                throw refused(
                        path,
                        options.readOnly()
                                ? "another process has it open for writing"
                                : "another process has it open; one can write, or several can"
                                        + " read with read-only=on");
            }
            return measure(options, fd);
        } catch (IOException | RuntimeException e) {
            fd.close();
            if (missing) {
                Files.deleteIfExists(path);
            }
            throw e;
        }
    }

    static long roundUp(long size, int unit) {
        return (size + unit - 1) / unit * unit;
    }

    private static Fd create(FileStore.Options options) throws IOException {
        try {
            return OpenFile.open(
                    options.path(), flags(options) | O_CREAT | O_EXCL, OWNER_READS_AND_WRITES);
        } catch (ErrnoException e) {
            throw explained(options, e);
        }
    }

    private static Fd openExisting(FileStore.Options options) throws IOException {
        Path path = options.path();
        int kind = kind(path);
        int exclusive = 0;
        switch (kind) {
            case S_IFREG -> {}
            // On a block device O_EXCL keeps off a mounted file system, and whoever else does so.
            case S_IFBLK -> exclusive = options.readOnly() ? 0 : O_EXCL;
            case S_IFDIR -> throw refused(path, "it is a directory, not a file or block device");
            default -> throw refused(path, "it is neither a file nor a block device");
        }
        try {
            return OpenFile.open(path, flags(options) | exclusive, 0);
        } catch (ErrnoException e) {
            throw explained(options, e);
        }
    }

    private static int flags(FileStore.Options options) {
        return (options.readOnly() ? O_RDONLY : O_RDWR) | (options.direct() ? O_DIRECT : 0);
    }

    /**
     * Of what kind the file is, before it is opened: opening some has effects. 0: there is none.
     */
    private static int kind(Path path) throws IOException {
        try {
            return (int) Files.getAttribute(path, "unix:mode") & S_IFMT;
        } catch (NoSuchFileException e) {
            return 0;
        } catch (AccessDeniedException e) {
            throw refused(path, "permission to search its directory is denied");
        }
    }

    private static FileOpening measure(FileStore.Options options, Fd fd) throws IOException {
        Path path = options.path();
        FileStat stat = stat(fd);
        if (!stat.isRegular() && !stat.isBlockDevice()) {
            throw refused(path, "it is neither a file nor a block device");
        }
        int blockSize = stat.isBlockDevice() ? logicalBlockSize(fd) : 512;
        int memoryAlignment = 1;
        if (options.direct()) {
            DirectAlignment direct = directAlignment(fd);
            if (!direct.isSupported()) {
                throw refused(path, "direct=on: its file system has no direct I/O");
            }
            blockSize = Math.max(blockSize, direct.offset());
            memoryAlignment = direct.memory();
        }
        long size = stat.isBlockDevice() ? blockDeviceSize(fd) : stat.size();
        if (options.size() != null) {
            size = sized(options, fd, stat, size, blockSize);
        }
        long capacity =
                stat.isBlockDevice() ? size / blockSize * blockSize : roundUp(size, blockSize);
        if (capacity == 0) {
            throw refused(path, "it is empty; with size=10G it is made that large");
        }
        boolean discards = !options.readOnly() && discards(fd, stat, capacity);
        return new FileOpening(
                fd, stat.isBlockDevice(), size, capacity, blockSize, memoryAlignment, discards);
    }

    /**
     * A new or an empty file gets the size that was asked for. Any other keeps its own: it may have
     * been resized while it was served, and must open again with the same configuration.
     */
    private static long sized(
            FileStore.Options options, Fd fd, FileStat stat, long size, int blockSize)
            throws IOException {
        long asked = options.size();
        if (size == asked) {
            return size;
        }
        if (!stat.isRegular() || size != 0 || options.readOnly()) {
            LOG.log(
                    Level.WARNING,
                    "file:{0}: it has {1} bytes; size={2} is for a file that is yet to be made",
                    options.path(),
                    Long.toString(size),
                    Long.toString(asked));
            return size;
        }
        if (asked % blockSize != 0) {
            throw refused(
                    options.path(),
                    "size=%d: a multiple of its block size, %d, is expected"
                            .formatted(asked, blockSize));
        }
        try {
            truncate(fd, asked);
        } catch (ErrnoException e) {
            throw explained(options, e);
        }
        return asked;
    }

    /** Whether holes can be punched: asked by punching one where nothing is. */
    private static boolean discards(Fd fd, FileStat stat, long capacity) throws IOException {
        if (stat.isBlockDevice()) {
            return true;
        }
        try {
            long beyond = roundUp(capacity, 1 << 20);
            fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, beyond, 4096);
            return true;
        } catch (ErrnoException e) {
            return false;
        }
    }

    /** Queues open theirs when a driver comes: better to know before. */
    private static void checkIoUring(Path path) throws IOException {
        try {
            new IoUring(1).close();
        } catch (ErrnoException e) {
            throw new IOException("file:%s needs io_uring: %s".formatted(path, e.getMessage()), e);
        }
    }

    private static IOException explained(FileStore.Options options, ErrnoException e) {
        String direct =
                options.direct() && e.errno() == Errno.EINVAL
                        ? "direct=on: its file system has no direct I/O"
                        : null;
        String why =
                switch (e.errno()) {
                    case Errno.ENOENT, Errno.ENOTDIR -> "there is no such directory";
                    case Errno.EACCES, Errno.EPERM ->
                            "permission to read%s it is denied"
                                    .formatted(options.readOnly() ? "" : " and write");
                    case Errno.EROFS -> "its file system is read-only; use read-only=on";
                    case Errno.EBUSY -> "it is in use, by a mounted file system or another process";
                    case Errno.EFBIG -> "its file system does not hold a file that large";
                    case Errno.ENOSPC -> "its file system is full";
                    default -> direct == null ? e.getMessage() : direct;
                };
        IOException refused = refused(options.path(), why);
        refused.initCause(e);
        return refused;
    }

    private static IOException refused(Path path, String why) {
        return new IOException("file:%s: %s".formatted(path, why));
    }
}
