package org.anyvirt.daemon.demo;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import org.anyvirt.daemon.configuration.Binding;
import org.anyvirt.daemon.configuration.BlockConfiguration;
import org.anyvirt.daemon.configuration.StoreChoice;
import org.anyvirt.daemon.serving.Daemon;
import org.anyvirt.daemon.serving.RefusedException;
import org.anyvirt.daemon.serving.ServedBlockDevice;
import org.anyvirt.storage.ByteSize;
import org.anyvirt.transports.vhostuser.Endpoint;

/**
 * Serves a disk on a real vhost-user socket, drives it, and tells what came of it.
 *
 * <p>Everything that it makes is in one folder.
 */
public final class Demonstration {
    private static final long CAPACITY = 128 << 20;

    private final Story story;
    private final Path folder;

    /**
     * @param folder for its files; it is there, and empty
     */
    public Demonstration(PrintWriter out, Path folder) {
        this.story = new Story(out);
        this.folder = folder;
    }

    /**
     * @param millis for each measurement
     * @param withGuest whether to boot a guest, where that is possible
     * @return whether all that was read was what had been written
     */
    public boolean run(int millis, boolean withGuest)
            throws IOException, InterruptedException, RefusedException {
        story.heading("A disk, served over vhost-user and driven with the built-in driver");
        try (Daemon daemon = new Daemon(ServedBlockDevice::start)) {
            DemoDisk disk = serve(daemon);
            boolean right = new Verification(story, disk).run();
            right &= new Changes(story, daemon, disk).run();
            new Measurement(story, disk, serveNothing(daemon), millis).run();
            if (withGuest) {
                right &= new GuestChapter(story, folder, disk).run();
            }
            story.heading(right ? "All of it was right." : "Something was WRONG, see above.");
            WhatNext.tell(story);
            return right;
        }
    }

    private DemoDisk serve(Daemon daemon) throws IOException, RefusedException {
        Path image = folder.resolve("disk.img");
        Path socket = folder.resolve("disk.sock");
        try {
            add(daemon, "disk0", "file:%s,size=%d".formatted(image, CAPACITY), socket);
        } catch (IOException e) {
            // A container may forbid io_uring: that is no reason to show nothing.
            story.fact("on memory, since", e.getMessage());
            image = null;
            add(daemon, "disk0", "memory:" + CAPACITY, socket);
        }
        story.fact("machine", Host.describe());
        story.fact("store", "%s, %s", daemon.show("disk0").store(), ByteSize.format(CAPACITY));
        story.fact("socket", socket.toString());
        return new DemoDisk("disk0", socket, image);
    }

    private DemoDisk serveNothing(Daemon daemon) throws IOException, RefusedException {
        Path socket = folder.resolve("null.sock");
        add(daemon, "null0", "zero:1T", socket);
        return new DemoDisk("null0", socket, null);
    }

    private static void add(Daemon daemon, String name, String store, Path socket)
            throws IOException, RefusedException {
        daemon.add(
                name,
                BlockConfiguration.of(
                        StoreChoice.parse(store),
                        new Binding.VhostUser(new Endpoint.Listen(socket, Binding.MODE_DEFAULT)),
                        false));
    }
}
