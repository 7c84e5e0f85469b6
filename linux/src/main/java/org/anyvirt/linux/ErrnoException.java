package org.anyvirt.linux;

import java.io.IOException;

/** A call that the kernel refused: which call, why, and with what arguments. */
public final class ErrnoException extends IOException {
    private static final long serialVersionUID = 1L;

    private final String call;
    private final int errno;

    /**
     * @param call the function as the manual names it, such as {@code mmap}
     * @param errno a positive error number
     * @param detail the arguments, in words: {@code 4096 bytes at offset 0}
     */
    public ErrnoException(String call, int errno, String detail) {
        super("%s: %s (%s): %s".formatted(call, Errno.name(errno), Errno.text(errno), detail));
        this.call = call;
        this.errno = errno;
    }

    /** From a result of {@link Libc}, which is a negated error number. */
    static ErrnoException of(String call, long result, String detail) {
        return new ErrnoException(call, (int) -result, detail);
    }

    public String call() {
        return call;
    }

    public int errno() {
        return errno;
    }
}
