package org.anyvirt.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.anyvirt.benchmarks.Scenario.StoreKind;

/**
 * A backend under measurement: a process that serves one disk on a vhost-user socket until closed.
 */
final class Contender implements AutoCloseable {
    /** The disk's size in bytes; small enough that a buffered file stays in the page cache. */
    static final long CAPACITY = 1L << 30;

    private static final long START_MILLIS = 30_000;
    private static final long STOP_MILLIS = 10_000;

    private final Process process;
    private final Path socket;

    private Contender(Process process, Path socket) {
        this.process = process;
        this.socket = socket;
    }

    Path socket() {
        return socket;
    }

    /** Ours, by the launcher, as a user starts it. */
    static Contender anyvirt(Path launcher, StoreKind store, Path folder)
            throws IOException, InterruptedException {
        Path socket = folder.resolve("anyvirt-" + store.ordinal() + ".sock");
        String spec =
                switch (store) {
                    case NULL -> "zero:" + CAPACITY + ",fill=off";
                    case FILE -> "file:" + image(folder, "anyvirt.img");
                    case FILE_DIRECT -> "file:" + image(folder, "anyvirt.img") + ",direct=on";
                };
        return start(
                socket,
                folder,
                launcher.toString(),
                "serve",
                "block",
                "--store",
                spec,
                "--on",
                "vhost-user:" + socket);
    }

    /** QEMU's, with an iothread that polls as it does by default. */
    static Contender qemuStorageDaemon(String program, StoreKind store, Path folder)
            throws IOException, InterruptedException {
        Path socket = folder.resolve("peer-" + store.ordinal() + ".sock");
        String node =
                switch (store) {
                    case NULL -> "driver=null-co,node-name=disk,read-zeroes=off,size=" + CAPACITY;
                    case FILE -> file(image(folder, "peer.img"), "off");
                    case FILE_DIRECT -> file(image(folder, "peer.img"), "on");
                };
        return start(
                socket,
                folder,
                program,
                "--object",
                "iothread,id=io0",
                "--blockdev",
                node,
                "--export",
                "type=vhost-user-blk,id=export,node-name=disk,writable=on,iothread=io0,"
                        + "addr.type=unix,addr.path="
                        + socket);
    }

    private static String file(Path image, String direct) {
        return "driver=file,node-name=disk,aio=io_uring,filename="
                + image
                + ",cache.direct="
                + direct;
    }

    /** A file without holes, so that a read reads. */
    private static Path image(Path folder, String name) throws IOException {
        Path image = folder.resolve(name);
        if (!Files.exists(image)) {
            byte[] block = new byte[1 << 20];
            new java.util.Random(1).nextBytes(block);
            try (var out = Files.newOutputStream(image)) {
                for (long written = 0; written < CAPACITY; written += block.length) {
                    out.write(block);
                }
            }
        }
        return image;
    }

    private static Contender start(Path socket, Path folder, String... command)
            throws IOException, InterruptedException {
        Path log = folder.resolve(socket.getFileName() + ".log");
        Process process =
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(log.toFile())
                        .start();
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(START_MILLIS);
        while (!Files.exists(socket)) {
            if (!process.isAlive() || System.nanoTime() > deadline) {
                process.destroyForcibly();
                throw new IOException(
                        "%s did not listen on %s: %s"
                                .formatted(List.of(command), socket, Files.readString(log)));
            }
            Thread.sleep(20);
        }
        return new Contender(process, socket);
    }

    @Override
    public void close() throws IOException {
        process.destroy();
        try {
            if (!process.waitFor(STOP_MILLIS, TimeUnit.MILLISECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        Files.deleteIfExists(socket);
    }
}
