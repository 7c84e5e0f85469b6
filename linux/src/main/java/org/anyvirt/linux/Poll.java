package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Waits for a few descriptors, once. Control plane. */
public final class Poll {
    static final short POLLIN = 0x1;
    static final short POLLNVAL = 0x20;

    private Poll() {}

    static final class Pollfd {
        static final int FD = 0;
        static final int EVENTS = 4;
        static final int REVENTS = 6;
        static final long SIZE = 8;

        private Pollfd() {}
    }

    /**
     * Waits until one of the descriptors can be read or has hung up: the index of the first, or -1
     * when the time is over.
     *
     * @param timeoutMillis 0 looks without waiting, a negative one waits for ever
     */
    public static int await(int timeoutMillis, int... fds) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pollfds = arena.allocate(fds.length * Pollfd.SIZE, 8);
            for (int i = 0; i < fds.length; i++) {
                pollfds.set(JAVA_INT, i * Pollfd.SIZE + Pollfd.FD, fds[i]);
                pollfds.set(JAVA_SHORT, i * Pollfd.SIZE + Pollfd.EVENTS, POLLIN);
            }
            long deadline = Deadline.after(timeoutMillis);
            int result;
            do {
                result = Libc.poll(pollfds, fds.length, Deadline.remainingMillis(deadline));
            } while (result == -Errno.EINTR);
            if (result < 0) {
                throw ErrnoException.of("poll", result, "fds " + Arrays.toString(fds));
            }
            return result == 0 ? -1 : firstReady(pollfds, fds);
        }
    }

    private static int firstReady(MemorySegment pollfds, int[] fds) throws ErrnoException {
        for (int i = 0; i < fds.length; i++) {
            short ready = pollfds.get(JAVA_SHORT, i * Pollfd.SIZE + Pollfd.REVENTS);
            if ((ready & POLLNVAL) != 0) {
                throw new ErrnoException("poll", Errno.EBADF, "fd " + fds[i]);
            }
            if (ready != 0) {
                return i;
            }
        }
        throw new AssertionError("poll reported an event for none of " + Arrays.toString(fds));
    }
}
