package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A counter in the kernel that wakes whoever polls it. Both planes: signalling and draining
 * allocate nothing.
 */
public final class EventFd implements AutoCloseable {
    static final int EFD_NONBLOCK = 04000;
    static final int EFD_CLOEXEC = 02000000;

    private static final MemorySegment ONE = Arena.global().allocateFrom(JAVA_LONG, 1);

    private final Fd fd;

    /** A new counter at zero. */
    public EventFd() throws ErrnoException {
        int result = Libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (result < 0) {
            throw ErrnoException.of("eventfd", result, "initial value 0");
        }
        fd = new Fd(result);
    }

    public Fd fd() {
        return fd;
    }

    public void signal() throws ErrnoException {
        signal(fd.number());
    }

    /**
     * Sets the counter to zero: what it was, cut to what a long can hold; 0 when nobody signalled.
     */
    public long drain() throws ErrnoException {
        return drain(fd.number());
    }

    /** Adds one to the counter of an eventfd, which a peer may have filled or made blocking. */
    public static void signal(int fd) throws ErrnoException {
        long result = Libc.write(fd, ONE.address(), Long.BYTES);
        while (result == -Errno.EINTR) {
            result = Libc.write(fd, ONE.address(), Long.BYTES);
        }
        // EAGAIN: the counter is at its end, so the reader has a wake-up waiting already.
        if (result < 0 && result != -Errno.EAGAIN) {
            throw ErrnoException.of("write", result, "eventfd " + fd);
        }
    }

    /** As {@link #drain()}, of an eventfd that must not block. */
    public static long drain(int fd) throws ErrnoException {
        long result = Libc.readCount(fd);
        while (result == -Errno.EINTR) {
            result = Libc.readCount(fd);
        }
        if (result < 0 && result != -Errno.EAGAIN) {
            throw ErrnoException.of("read", result, "eventfd " + fd);
        }
        return Math.max(result, 0);
    }

    /**
     * Whether a descriptor that a peer sent is an eventfd: a write to anything else may block,
     * fail, or mean something.
     *
     * @throws IOException when /proc is not there to tell
     */
    public static boolean isEventFd(Fd fd) throws IOException {
        Path link = Path.of("/proc/self/fd", Integer.toString(fd.number()));
        return Files.readSymbolicLink(link).toString().equals("anon_inode:[eventfd]");
    }

    @Override
    public void close() {
        fd.close();
    }
}
