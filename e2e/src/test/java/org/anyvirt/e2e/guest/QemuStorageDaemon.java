package org.anyvirt.e2e.guest;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** QEMU's own backend: the control that the harness is proven with. */
final class QemuStorageDaemon implements Backend {
    private final Path folder;
    private final Path socket;
    private final Child process;
    private final Qmp monitor;

    QemuStorageDaemon(String name, Disk disk) throws IOException {
        folder = Places.shortFolder();
        socket = folder.resolve("disk.sock");
        Path log = Places.logs().resolve(name + ".backend");
        monitor = new Qmp(folder.resolve("qmp"), Places.logs().resolve(name + ".backend-qmp"));
        try (RandomAccessFile file = new RandomAccessFile(disk.file().toFile(), "rw")) {
            file.setLength(Math.max(file.length(), disk.size()));
        }
        String node = "file,node-name=disk,discard=unmap,filename=" + disk.file();
        String cache = disk.direct() ? ",cache.direct=on,aio=io_uring" : "";
        String export = "vhost-user-blk,id=disk,node-name=disk,addr.type=unix,addr.path=" + socket;
        export += ",num-queues=" + disk.queues() + ",writable=" + (disk.readOnly() ? "off" : "on");
        process =
                Child.start(
                        log,
                        Duration.ofMinutes(30),
                        List.of(
                                "qemu-storage-daemon",
                                "--chardev",
                                monitor.chardev("qmp"),
                                "--monitor",
                                "chardev=qmp",
                                "--blockdev",
                                node + cache,
                                "--export",
                                export));
        Backends.awaitSocket(socket, process);
    }

    @Override
    public Path socket() {
        return socket;
    }

    @Override
    public String serial() {
        return "vhost_user_blk";
    }

    @Override
    public String log() throws IOException {
        return process.output();
    }

    @Override
    public void resize(long bytes) throws IOException {
        monitor.execute("block_resize", Map.of("node-name", "disk", "size", bytes));
    }

    @Override
    public void close() throws IOException {
        process.close();
        monitor.close();
        Files.deleteIfExists(socket);
        Places.delete(folder);
    }
}
