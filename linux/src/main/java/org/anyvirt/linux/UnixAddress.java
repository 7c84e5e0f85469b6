package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** {@code struct sockaddr_un}, and the constants of sockets. */
final class UnixAddress {
    static final int AF_UNIX = 1;
    static final int SOCK_STREAM = 1;
    static final int SOCK_CLOEXEC = 02000000;

    private static final int PATH_BYTES_MAX = 107; // and a zero byte

    static final class SockaddrUn {
        static final int SUN_FAMILY = 0;
        static final int SUN_PATH = 2;
        static final long SIZE = 110;

        private SockaddrUn() {}
    }

    private UnixAddress() {}

    /** The address of a path, with the length that bind(2) and connect(2) take: its size. */
    static MemorySegment of(Path path, Arena arena) {
        byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
        if (name.length == 0 || name.length > PATH_BYTES_MAX) {
            throw new IllegalArgumentException(
                    "a Unix socket's path has 1 to %d bytes, this one %d: %s"
                            .formatted(PATH_BYTES_MAX, name.length, path));
        }
        MemorySegment address = arena.allocate(SockaddrUn.SUN_PATH + name.length + 1, 2);
        address.set(JAVA_SHORT, SockaddrUn.SUN_FAMILY, (short) AF_UNIX);
        MemorySegment.copy(name, 0, address, JAVA_BYTE, SockaddrUn.SUN_PATH, name.length);
        return address;
    }

    /** A new stream socket, close-on-exec and blocking. */
    static Fd socket() throws ErrnoException {
        int result = Libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
        if (result < 0) {
            throw ErrnoException.of("socket", result, "AF_UNIX, SOCK_STREAM");
        }
        return new Fd(result);
    }
}
