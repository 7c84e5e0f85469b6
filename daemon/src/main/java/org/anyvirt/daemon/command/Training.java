package org.anyvirt.daemon.command;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * What most commands do, done once, so that the JVM can write down the classes that this takes: the
 * next start finds them loaded and linked. The launcher runs it when it builds.
 */
public final class Training {
    private static final int TRIES = 1_000;

    private Training() {}

    /**
     * @param folder for sockets; it is there
     */
    public static void run(Path folder) throws InterruptedException, IOException {
        Path control = folder.resolve("control.sock");
        String on = "vhost-user:" + folder.resolve("disk.sock");
        String store = "file:%s,size=1M".formatted(folder.resolve("disk.img"));
        Thread daemon =
                Thread.ofPlatform()
                        .start(() ->
                                silently(
                                        "serve",
                                        "block",
                                        "--store",
                                        store,
                                        "--on",
                                        on,
                                        "--control",
                                        control.toString()));
        for (int i = 0; i < TRIES && daemon.isAlive() && !Files.exists(control); i++) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
        }
        silently("--help");
        silently("ctl", "--control", control.toString(), "list");
        silently("ctl", "--control", control.toString(), "--json", "show", "disk0");
        silently("ctl", "--control", control.toString(), "shutdown");
        daemon.join();
    }

    private static void silently(String... arguments) {
        PrintWriter nowhere = new PrintWriter(OutputStream.nullOutputStream());
        AnyvirtCommand.run(nowhere, nowhere, arguments);
    }
}
