package org.anyvirt.driver.vhostuser;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/** A qemu-storage-daemon that exports one disk over vhost-user, for as long as a test takes. */
public final class QemuStorageDaemon implements AutoCloseable {
    private static final String PROGRAM = "qemu-storage-daemon";
    private static final long START_SECONDS = 20;
    private static final long STOP_SECONDS = 10;

    private final Process process;
    private final Path socket;
    private final Path log;

    private QemuStorageDaemon(Process process, Path socket, Path log) {
        this.process = process;
        this.socket = socket;
        this.log = log;
    }

    /** The first line of {@code --version}, or null when it is not installed. */
    public static String version() throws IOException, InterruptedException {
        try {
            Process process =
                    new ProcessBuilder(PROGRAM, "--version").redirectErrorStream(true).start();
            try (InputStream out = process.getInputStream()) {
                String text = new String(out.readAllBytes(), StandardCharsets.UTF_8);
                return process.waitFor() == 0 ? text.lines().findFirst().orElse(null) : null;
            }
        } catch (IOException e) {
            return null;
        }
    }

    /**
     * Exports what {@code blockdev} describes, writable.
     *
     * @param directory for the socket and the log; its path must be short
     * @param blockdev without the node's name
     * @param queues {@code num-queues} of the export
     */
    public static QemuStorageDaemon start(Path directory, String blockdev, int queues)
            throws IOException {
        Path socket = directory.resolve("qsd.sock");
        Path log = directory.resolve("qsd.log");
        List<String> command = new ArrayList<>();
        command.add(PROGRAM);
        command.add("--blockdev");
        command.add(blockdev + ",node-name=disk");
        command.add("--export");
        command.add(
                "type=vhost-user-blk,id=export,node-name=disk,writable=on"
                        + ",num-queues=%d,addr.type=unix,addr.path=%s".formatted(queues, socket));
        Process process =
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(log.toFile())
                        .start();
        QemuStorageDaemon daemon = new QemuStorageDaemon(process, socket, log);
        try {
            daemon.awaitSocket();
        } catch (IOException e) {
            daemon.close();
            throw e;
        }
        return daemon;
    }

    private void awaitSocket() throws IOException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
        while (!listens()) {
            if (!process.isAlive() || System.nanoTime() > deadline) {
                throw new IOException(PROGRAM + " does not listen: " + Files.readString(log));
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
        }
    }

    /** A socket is there before it listens; the kernel's table has a flag for the latter. */
    private boolean listens() throws IOException {
        try (Stream<String> table = Files.lines(Path.of("/proc/net/unix"))) {
            return table.anyMatch(row -> row.contains(" 00010000 ") && row.endsWith(" " + socket));
        }
    }

    public Path socket() {
        return socket;
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /** What it printed so far. */
    public String log() throws IOException {
        return Files.readString(log);
    }

    /** Ends it without warning. */
    public void kill() {
        process.destroyForcibly();
    }

    /** Asks it to end, and makes it when it does not. */
    @Override
    public void close() {
        process.destroy();
        try {
            if (!process.waitFor(STOP_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
