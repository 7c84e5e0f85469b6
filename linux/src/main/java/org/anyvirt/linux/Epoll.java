package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Waits for many descriptors. Data plane: one thread awaits and reads the events, without
 * allocating; others may add, modify and remove at any time.
 */
public final class Epoll implements AutoCloseable {
    public static final int EPOLLIN = 0x1;
    public static final int EPOLLOUT = 0x4;
    public static final int EPOLLERR = 0x8;
    public static final int EPOLLHUP = 0x10;
    public static final int EPOLLRDHUP = 0x2000;
    public static final int EPOLLEXCLUSIVE = 1 << 28;
    public static final int EPOLLONESHOT = 1 << 30;
    public static final int EPOLLET = 1 << 31;

    static final int EPOLL_CLOEXEC = 02000000;
    static final int EPOLL_CTL_ADD = 1;
    static final int EPOLL_CTL_DEL = 2;
    static final int EPOLL_CTL_MOD = 3;

    private static final int READY_MAX = 64;

    private final Fd fd;
    private final MemorySegment ready = Arena.ofAuto().allocate(READY_MAX * EpollEvent.SIZE, 8);
    private int readyCount;

    /**
     * {@code struct epoll_event}: packed on x86-64 so that 32-bit programs agree with it, nowhere
     * else.
     */
    static final class EpollEvent {
        static final int EVENTS = 0;
        static final int DATA = Architecture.X86_64 ? 4 : 8;
        static final long SIZE = DATA + Long.BYTES;

        private EpollEvent() {}
    }

    public Epoll() throws ErrnoException {
        int result = Libc.epollCreate1(EPOLL_CLOEXEC);
        if (result < 0) {
            throw ErrnoException.of("epoll_create1", result, "EPOLL_CLOEXEC");
        }
        fd = new Fd(result);
    }

    /** The descriptor of this set, itself pollable. */
    public Fd fd() {
        return fd;
    }

    /**
     * @param events {@code EPOLL*} flags; errors and hang-ups are always reported
     * @param data comes back with each event, see {@link #data(int)}
     */
    public void add(int fd, int events, long data) throws ErrnoException {
        control("epoll_ctl(EPOLL_CTL_ADD)", EPOLL_CTL_ADD, fd, events, data);
    }

    public void modify(int fd, int events, long data) throws ErrnoException {
        control("epoll_ctl(EPOLL_CTL_MOD)", EPOLL_CTL_MOD, fd, events, data);
    }

    public void remove(int fd) throws ErrnoException {
        control("epoll_ctl(EPOLL_CTL_DEL)", EPOLL_CTL_DEL, fd, 0, 0);
    }

    /**
     * Waits until a descriptor is ready: how many are, at most 64 at a time, 0 when the time is
     * over.
     *
     * @param timeoutMillis 0 looks without waiting, a negative one waits for ever
     */
    public int await(long timeoutMillis) throws ErrnoException {
        if (timeoutMillis == 0) {
            readyCount = Math.max(0, poll(0)); // interrupted: nothing seen
            return readyCount;
        }
        long deadline = Deadline.after(timeoutMillis);
        int remainingMillis;
        int result;
        do {
            remainingMillis = Deadline.remainingMillis(deadline);
            result = poll(remainingMillis);
        } while (result == -Errno.EINTR || (result == 0 && remainingMillis != 0));
        readyCount = result;
        return result;
    }

    /** The number given when the descriptor of the i-th ready event was added. */
    public long data(int i) {
        return ready.get(JAVA_LONG_UNALIGNED, at(i) + EpollEvent.DATA);
    }

    /** The {@code EPOLL*} flags of the i-th ready event. */
    public int events(int i) {
        return ready.get(JAVA_INT, at(i) + EpollEvent.EVENTS);
    }

    @Override
    public void close() {
        fd.close();
    }

    private long at(int i) {
        if (i < 0 || i >= readyCount) {
            throw new IndexOutOfBoundsException("event " + i + " of " + readyCount);
        }
        return i * EpollEvent.SIZE;
    }

    private int poll(int timeoutMillis) throws ErrnoException {
        int result = Libc.epollWait(fd.number(), ready.address(), READY_MAX, timeoutMillis);
        if (result < 0 && result != -Errno.EINTR) {
            throw ErrnoException.of("epoll_wait", result, fd + ", " + timeoutMillis + " ms");
        }
        return result;
    }

    private void control(String call, int operation, int target, int events, long data)
            throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment event = arena.allocate(EpollEvent.SIZE, 8);
            event.set(JAVA_INT, EpollEvent.EVENTS, events);
            event.set(JAVA_LONG_UNALIGNED, EpollEvent.DATA, data);
            int result = Libc.epollCtl(fd.number(), operation, target, event.address());
            if (result < 0) {
                throw ErrnoException.of(
                        call, result, "fd %d, events 0x%x".formatted(target, events));
            }
        }
    }
}
