package org.anyvirt.linux;

import java.lang.foreign.Arena;

/** Files that live in memory and are shared by passing their descriptor: memfd_create(2). */
public final class Memfd {
    /** No more seals. */
    public static final int F_SEAL_SEAL = 1;

    /** The size cannot shrink, so a mapping of the file cannot fault. */
    public static final int F_SEAL_SHRINK = 2;

    public static final int F_SEAL_GROW = 4;
    public static final int F_SEAL_WRITE = 8;

    static final int MFD_CLOEXEC = 1;
    static final int MFD_ALLOW_SEALING = 2;
    static final int F_ADD_SEALS = 1033;
    static final int F_GET_SEALS = 1034;

    private Memfd() {}

    /**
     * A new file of zeroes that can be sealed.
     *
     * @param name shown in /proc/PID/maps, for people
     * @param size bytes
     */
    public static Fd create(String name, long size) throws ErrnoException {
        Fd fd = create(name);
        try {
            OpenFile.truncate(fd, size);
            return fd;
        } catch (ErrnoException | RuntimeException refused) {
            fd.close();
            throw refused;
        }
    }

    /** Adds {@code F_SEAL_*} flags; they cannot be taken back. */
    public static void seal(Fd fd, int seals) throws ErrnoException {
        int result = Libc.fcntl(fd.number(), F_ADD_SEALS, seals);
        if (result < 0) {
            throw ErrnoException.of("fcntl(F_ADD_SEALS)", result, "%s, 0x%x".formatted(fd, seals));
        }
    }

    /** The {@code F_SEAL_*} flags of a memfd. */
    public static int seals(Fd fd) throws ErrnoException {
        int result = Libc.fcntl(fd.number(), F_GET_SEALS, 0);
        if (result < 0) {
            throw ErrnoException.of("fcntl(F_GET_SEALS)", result, fd.toString());
        }
        return result;
    }

    private static Fd create(String name) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            int result =
                    Libc.memfdCreate(arena.allocateFrom(name), MFD_CLOEXEC | MFD_ALLOW_SEALING);
            if (result < 0) {
                throw ErrnoException.of("memfd_create", result, name);
            }
            return new Fd(result);
        }
    }
}
