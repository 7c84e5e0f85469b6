package org.anyvirt.e2e.guest;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * Starts the backend that the tests are run against: `-Danyvirt.backend=qemu-storage-daemon` or
 * ours.
 */
public final class Backends {
    private static final String LISTENING = " 00010000 ";
    private static final String CONTROL = "qemu-storage-daemon";

    private Backends() {}

    /** Whether the tests run against a peer, not against us. */
    public static boolean isControl() {
        return CONTROL.equals(System.getProperty("anyvirt.backend"));
    }

    /**
     * Starts a backend that listens.
     *
     * @param name of its logs
     */
    public static Backend start(String name, Backend.Disk disk) throws IOException {
        return isControl() ? new QemuStorageDaemon(name, disk) : new Anyvirt(name, disk);
    }

    static void awaitSocket(Path socket, Child process) throws IOException {
        await(Duration.ofSeconds(30), () -> listens(socket) || !process.isAlive());
        if (!process.isAlive()) {
            throw new IOException("the backend ended: " + process.output());
        }
        if (!listens(socket)) {
            throw new IOException("the backend does not listen on " + socket);
        }
    }

    /** A socket is there before it listens: the kernel's table has a flag for the latter. */
    private static boolean listens(Path socket) throws IOException {
        try (Stream<String> table = Files.lines(Path.of("/proc/net/unix"))) {
            return table.anyMatch(row -> row.contains(LISTENING) && row.endsWith(" " + socket));
        }
    }

    /** What may hold or not, and what may not be found out. */
    @FunctionalInterface
    public interface Condition {
        boolean holds() throws IOException;
    }

    /** Polls a condition until it holds or the deadline has come. */
    public static boolean await(Duration deadline, Condition condition) throws IOException {
        long end = System.nanoTime() + deadline.toNanos();
        while (!condition.holds()) {
            if (System.nanoTime() > end) {
                return false;
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
        }
        return true;
    }

    /** The first line that a program prints, or what kept it from printing one. */
    public static String firstLine(String... command) {
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            try (var out = process.inputReader()) {
                String line = out.readLine();
                return line == null ? command[0] + " printed nothing" : line;
            }
        } catch (IOException e) {
            return e.getMessage();
        }
    }
}
