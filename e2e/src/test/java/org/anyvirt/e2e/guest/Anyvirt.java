package org.anyvirt.e2e.guest;

import java.io.IOException;
import java.nio.file.Path;

/** One disk, served by our daemon. */
final class Anyvirt implements Backend {
    private static final String DEVICE = "disk";

    private final AnyvirtDaemon daemon;

    Anyvirt(String name, Disk disk) throws IOException {
        String block =
                """
                %s:
                  store: file:%s,size=%d,direct=%s
                  on: vhost-user:SOCKETS/%s
                  serial: %s
                  queues: %d
                  read-only: %s
                """;
        daemon =
                AnyvirtDaemon.serve(
                        name,
                        block.formatted(
                                DEVICE,
                                disk.file(),
                                disk.size(),
                                disk.direct() ? "on" : "off",
                                DEVICE,
                                SERIAL,
                                disk.queues(),
                                disk.readOnly()),
                        DEVICE);
    }

    @Override
    public Path socket() {
        return daemon.socket(DEVICE);
    }

    @Override
    public String serial() {
        return SERIAL;
    }

    @Override
    public void resize(long bytes) throws IOException {
        daemon.control("resize", DEVICE, Long.toString(bytes));
    }

    @Override
    public String log() throws IOException {
        return daemon.log();
    }

    @Override
    public void close() throws IOException {
        daemon.close();
    }
}
