package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.Path;
import java.util.List;

/**
 * A connected Unix stream socket that carries file descriptors beside bytes. Control plane;
 * blocking. One thread may send while another receives.
 */
public final class UnixSocket implements AutoCloseable {
    /** How many descriptors the kernel passes in one message. */
    public static final int SCM_MAX_FD = 253;

    static final int SOL_SOCKET = 1;
    static final int SO_PEERCRED = 17;
    static final int SO_RCVTIMEO = 20;
    static final int SO_SNDTIMEO = 21;
    static final int SHUT_RDWR = 2;
    static final int MSG_NOSIGNAL = 0x4000;
    static final int MSG_CMSG_CLOEXEC = 0x40000000;

    private final Fd fd;

    static final class Ucred {
        static final int PID = 0;
        static final int UID = 4;
        static final int GID = 8;
        static final long SIZE = 12;

        private Ucred() {}
    }

    static final class Timeval {
        static final int TV_SEC = 0;
        static final int TV_USEC = 8;
        static final long SIZE = 16;

        private Timeval() {}
    }

    /** Takes a connected stream socket over. */
    public UnixSocket(Fd fd) {
        this.fd = fd;
    }

    public static UnixSocket connect(Path path) throws ErrnoException {
        Fd fd = UnixAddress.socket();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = UnixAddress.of(path, arena);
            int result;
            do {
                result = Libc.connect(fd.number(), address, (int) address.byteSize());
            } while (result == -Errno.EINTR);
            if (result < 0) {
                throw ErrnoException.of("connect", result, path.toString());
            }
            return new UnixSocket(fd);
        } catch (ErrnoException | RuntimeException refused) {
            fd.close();
            throw refused;
        }
    }

    /** Two sockets connected to each other. */
    public static UnixSocket[] pair() throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pair = arena.allocate(JAVA_INT, 2);
            int type = UnixAddress.SOCK_STREAM | UnixAddress.SOCK_CLOEXEC;
            int result = Libc.socketpair(UnixAddress.AF_UNIX, type, pair);
            if (result < 0) {
                throw ErrnoException.of("socketpair", result, "AF_UNIX, SOCK_STREAM");
            }
            return new UnixSocket[] {
                new UnixSocket(new Fd(pair.get(JAVA_INT, 0))),
                new UnixSocket(new Fd(pair.get(JAVA_INT, Integer.BYTES)))
            };
        }
    }

    public Fd fd() {
        return fd;
    }

    /**
     * Sends all bytes; descriptors go with the first of them and stay the sender's.
     *
     * @param bytes native memory
     * @return {@code length}
     * @throws ErrnoException EPIPE when the peer is gone, EAGAIN when it did not read in time. Part
     *     of the message may be sent, so the connection is of no more use
     */
    public long send(MemorySegment bytes, long length, int... fds) throws ErrnoException {
        if (length <= 0 || fds.length > SCM_MAX_FD) {
            throw new IllegalArgumentException(
                    "a message has at least 1 byte and at most %d descriptors, not %d and %d"
                            .formatted(SCM_MAX_FD, length, fds.length));
        }
        long address = Libc.address(bytes, 0, length);
        try (Arena arena = Arena.ofConfined()) {
            MessageHeader message = MessageHeader.sending(arena, fds);
            for (long sent = 0; sent < length; ) {
                message.bytes(address + sent, length - sent);
                long result = Libc.sendmsg(fd.number(), message.segment(), MSG_NOSIGNAL);
                if (result >= 0) {
                    sent += result;
                    message.dropControl();
                } else if (result != -Errno.EINTR) {
                    throw ErrnoException.of(
                            "sendmsg",
                            result,
                            "%s, %d of %d bytes and %d descriptors"
                                    .formatted(fd, sent, length, fds.length));
                }
            }
            return length;
        } finally {
            Reference.reachabilityFence(bytes);
        }
    }

    /**
     * Receives what is there, waiting for the first byte.
     *
     * @param into native memory, written from {@code at}
     * @param max bytes at most, more than 0
     * @param fds takes the received descriptors, close-on-exec; the caller owns them
     * @return how many bytes; 0 when the peer has closed
     * @throws IOException descriptors were lost for want of room or by a limit of this process;
     *     those that came are closed
     */
    public long receive(MemorySegment into, long at, long max, List<Fd> fds) throws IOException {
        return receive(into, at, max, fds, SCM_MAX_FD);
    }

    /** As above, with room for {@code fdsMax} descriptors: a message with more is refused. */
    public long receive(MemorySegment into, long at, long max, List<Fd> fds, int fdsMax)
            throws IOException {
        if (max <= 0) {
            throw new IllegalArgumentException("cannot receive " + max + " bytes");
        }
        long address = Libc.address(into, at, max);
        try (Arena arena = Arena.ofConfined()) {
            MessageHeader message = MessageHeader.receiving(arena, fdsMax);
            message.bytes(address, max);
            long result;
            do {
                result = Libc.recvmsg(fd.number(), message.segment(), MSG_CMSG_CLOEXEC);
            } while (result == -Errno.EINTR);
            if (result < 0) {
                throw ErrnoException.of("recvmsg", result, "%s, %d bytes".formatted(fd, max));
            }
            List<Fd> received = message.descriptors();
            if (message.isControlTruncated()) {
                received.forEach(Fd::close);
                throw new IOException(
                        """
                        recvmsg: %s: more file descriptors came than the %d allowed, \
                        or than this process may open\
                        """
                                .formatted(fd, fdsMax));
            }
            fds.addAll(received);
            return result;
        } finally {
            Reference.reachabilityFence(into);
        }
    }

    /**
     * Limits how long one {@link #send} or {@link #receive} may block; over time they throw EAGAIN.
     *
     * @param millis 0 for ever
     */
    public void setTimeout(int millis) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment time = arena.allocate(Timeval.SIZE, 8);
            time.set(JAVA_LONG, Timeval.TV_SEC, millis / 1000);
            time.set(JAVA_LONG, Timeval.TV_USEC, millis % 1000 * 1000L);
            for (int option : new int[] {SO_RCVTIMEO, SO_SNDTIMEO}) {
                int result = Libc.setsockopt(fd.number(), SOL_SOCKET, option, time);
                if (result < 0) {
                    throw ErrnoException.of("setsockopt", result, fd + ", " + millis + " ms");
                }
            }
        }
    }

    /**
     * Ends the connection in both directions, which wakes a thread that sends or receives. Does not
     * close.
     */
    public void shutdown() throws ErrnoException {
        int result = Libc.shutdown(fd.number(), SHUT_RDWR);
        if (result < 0 && result != -Errno.ENOTCONN) {
            throw ErrnoException.of("shutdown", result, fd.toString());
        }
    }

    public PeerCredentials peer() throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ucred = arena.allocate(Ucred.SIZE, 4);
            MemorySegment length = arena.allocateFrom(JAVA_INT, (int) Ucred.SIZE);
            int result = Libc.getsockopt(fd.number(), SOL_SOCKET, SO_PEERCRED, ucred, length);
            if (result < 0) {
                throw ErrnoException.of("getsockopt(SO_PEERCRED)", result, fd.toString());
            }
            return new PeerCredentials(
                    ucred.get(JAVA_INT, Ucred.PID),
                    ucred.get(JAVA_INT, Ucred.UID),
                    ucred.get(JAVA_INT, Ucred.GID));
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
