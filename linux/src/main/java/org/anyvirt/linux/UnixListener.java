package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Objects;

/** A Unix stream socket that peers connect to. Control plane. */
public final class UnixListener implements AutoCloseable {
    static final int SOMAXCONN = 4096;
    static final int SO_ACCEPTCONN = 30;

    private static final System.Logger LOG = System.getLogger(UnixListener.class.getName());

    private final Fd fd;
    private final Path path; // null when inherited
    private final Object identity;

    /**
     * A socket that another process has bound and listens on; its path stays when this is closed.
     */
    public UnixListener(Fd inherited) {
        this(inherited, null, null);
    }

    private UnixListener(Fd fd, Path path, Object identity) {
        this.fd = fd;
        this.path = path;
        this.identity = identity;
    }

    /**
     * Listens at a path. A stale socket there, which nobody listens on, is replaced.
     *
     * @param mode permissions of the socket: who may write may connect
     * @throws IllegalArgumentException the path is longer than 107 bytes
     * @throws FileAlreadyExistsException something listens there, or what is there is no socket
     */
    public static UnixListener bind(Path path, int mode) throws IOException {
        Fd fd = UnixAddress.socket();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = UnixAddress.of(path, arena);
            removeStale(path);
            int length = (int) address.byteSize();
            check("bind", Libc.bind(fd.number(), address, length), path);
            // Nobody connects before listen(), so the permissions are in force from the start.
            int result = Libc.chmod(address.asSlice(UnixAddress.SockaddrUn.SUN_PATH), mode);
            check("chmod", result, path);
            Object identity = identity(path);
            check("listen", Libc.listen(fd.number(), SOMAXCONN), path);
            return new UnixListener(fd, path, identity);
        } catch (IOException | RuntimeException refused) {
            fd.close();
            throw refused;
        }
    }

    /**
     * Whether a socket, as one that this process was started with, listens.
     *
     * @throws ErrnoException ENOTSOCK, EBADF: it is no socket
     */
    public static boolean isListening(Fd fd) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment listening = arena.allocate(JAVA_INT);
            MemorySegment length = arena.allocateFrom(JAVA_INT, Integer.BYTES);
            int result =
                    Libc.getsockopt(
                            fd.number(), UnixSocket.SOL_SOCKET, SO_ACCEPTCONN, listening, length);
            if (result < 0) {
                throw ErrnoException.of("getsockopt(SO_ACCEPTCONN)", result, fd.toString());
            }
            return listening.get(JAVA_INT, 0) != 0;
        }
    }

    public Fd fd() {
        return fd;
    }

    /** Waits for the next peer; see {@link Poll} for waiting with a time limit. */
    public UnixSocket accept() throws ErrnoException {
        for (; ; ) {
            int result = Libc.accept4(fd.number(), UnixAddress.SOCK_CLOEXEC);
            if (result >= 0) {
                return new UnixSocket(new Fd(result));
            }
            if (result == -Errno.EAGAIN) { // inherited, and non-blocking
                Poll.await(-1, fd.number());
            } else if (result != -Errno.EINTR && result != -Errno.ECONNABORTED) {
                throw ErrnoException.of("accept4", result, toString());
            }
        }
    }

    /** Stops listening and removes the path, unless another's socket stands there by now. */
    @Override
    public void close() {
        if (!fd.isOpen()) {
            return;
        }
        try {
            if (path != null && Objects.equals(identity, identity(path))) {
                Files.delete(path);
            }
        } catch (NoSuchFileException removedByAnother) {
            // as wanted
        } catch (IOException left) {
            LOG.log(Level.WARNING, "the socket {0} stays behind: {1}", path, left.toString());
        }
        fd.close();
    }

    @Override
    public String toString() {
        return path == null ? "listener " + fd : "listener " + path;
    }

    private static void removeStale(Path path) throws IOException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        int mode = (int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
        if ((mode & FileStat.S_IFMT) != FileStat.S_IFSOCK) {
            throw new FileAlreadyExistsException(
                    path.toString(), null, "it is not a socket; remove it or choose another path");
        }
        try (UnixSocket peer = UnixSocket.connect(path)) {
            throw new FileAlreadyExistsException(
                    path.toString(), null, "another process listens on it: " + peer.peer());
        } catch (ErrnoException answer) {
            if (answer.errno() != Errno.ECONNREFUSED) {
                throw answer;
            }
        }
        Files.deleteIfExists(path);
    }

    private static Object identity(Path path) throws IOException {
        return Files.readAttributes(path, "unix:dev,ino", LinkOption.NOFOLLOW_LINKS);
    }

    private static void check(String call, int result, Path path) throws ErrnoException {
        if (result < 0) {
            throw ErrnoException.of(call, result, path.toString());
        }
    }
}
