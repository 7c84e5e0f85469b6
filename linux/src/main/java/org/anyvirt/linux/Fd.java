package org.anyvirt.linux;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Owns one file descriptor. Closing twice, or from several threads, closes it once; a descriptor
 * must not be closed while another thread is in a call with its number, as the kernel gives the
 * number to the next file opened.
 */
public final class Fd implements AutoCloseable {
    static final int F_DUPFD_CLOEXEC = 1030;

    private static final int NONE = -1;

    private final AtomicInteger number;

    /** Takes ownership of an open descriptor. */
    public Fd(int number) {
        if (number < 0) {
            throw new IllegalArgumentException("not a file descriptor: " + number);
        }
        this.number = new AtomicInteger(number);
    }

    /** The descriptor's number, lent: valid until this is closed or released. */
    public int number() {
        int open = number.get();
        if (open == NONE) {
            throw new IllegalStateException("the file descriptor is closed");
        }
        return open;
    }

    public boolean isOpen() {
        return number.get() != NONE;
    }

    /** Another descriptor for the same open file description; close-on-exec. */
    public Fd duplicate() throws ErrnoException {
        int result = Libc.fcntl(number(), F_DUPFD_CLOEXEC, 0);
        if (result < 0) {
            throw ErrnoException.of("fcntl(F_DUPFD_CLOEXEC)", result, "fd " + number());
        }
        return new Fd(result);
    }

    /** Gives the descriptor up without closing it; the caller owns the number. */
    public int release() {
        int open = number.getAndSet(NONE);
        if (open == NONE) {
            throw new IllegalStateException("the file descriptor is closed");
        }
        return open;
    }

    @Override
    public void close() {
        int open = number.getAndSet(NONE);
        // Other errors are of a delayed write, which sync() is there to report; Linux has closed
        // the descriptor anyway.
        if (open != NONE && Libc.close(open) == -Errno.EBADF) {
            throw new AssertionError("fd " + open + " was closed by another than its owner");
        }
    }

    @Override
    public String toString() {
        int open = number.get();
        return open == NONE ? "fd closed" : "fd " + open;
    }
}
