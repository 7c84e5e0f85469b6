package org.anyvirt.daemon.demo;

import java.io.IOException;
import java.nio.file.Path;

/** A real guest drives the disk: Linux, in QEMU. */
final class GuestChapter {
    private static final int BUILD_SECONDS = 120;
    private static final int GUEST_SECONDS = 90;
    private static final int MEBIBYTES = 24;

    private final Story story;
    private final Path folder;
    private final DemoDisk disk;

    GuestChapter(Story story, Path folder, DemoDisk disk) {
        this.story = story;
        this.folder = folder;
        this.disk = disk;
    }

    /** Tells why there is no guest where there is none; that is not wrong. */
    boolean run() throws IOException, InterruptedException {
        story.chapter("A real guest");
        GuestImage image;
        try {
            image = GuestImage.find(folder, BUILD_SECONDS);
        } catch (GuestImage.MissingException e) {
            e.getMessage().lines().forEach(story::line);
            return true;
        }
        try (LinuxGuest guest =
                LinuxGuest.boot(image, disk.socket(), folder.resolve("guest.log"), GUEST_SECONDS)) {
            story.fact("booted", "Linux %s, emulated by %s", guest.kernel(), guest.qemu());
            return fileSystem(guest) & wholeDisk(guest);
        } catch (IOException e) {
            story.line("it FAILED: %s", e.getMessage());
            return false;
        }
    }

    private boolean fileSystem(LinuxGuest guest) throws IOException, InterruptedException {
        String[] sums =
                guest.run(
                                """
                                /usr/bin/mke2fs -q -F -t ext4 /dev/vda
                                mount -t ext4 /dev/vda /mnt
                                dd if=/dev/urandom of=/mnt/file bs=1M count=%d 2>/dev/null
                                sha256sum /mnt/file | cut -c1-64
                                umount /mnt
                                echo 3 > /proc/sys/vm/drop_caches
                                mount -t ext4 /dev/vda /mnt
                                sha256sum /mnt/file | cut -c1-64
                                umount /mnt\
                                """
                                        .formatted(MEBIBYTES))
                        .split("\\s+");
        story.fact(
                "in the guest",
                "mkfs.ext4, mount, a file of %d MiB, umount, mount again",
                MEBIBYTES);
        story.fact("  SHA-256 of the file", sums[0]);
        boolean same = sums.length == 2 && sums[0].equals(sums[1]);
        story.fact("  after mounting again", "%s  %s", sums[1], same ? "same" : "DIFFERENT");
        return same;
    }

    private boolean wholeDisk(LinuxGuest guest) throws IOException, InterruptedException {
        if (disk.image() == null) {
            return true;
        }
        long bytes = 48 << 20;
        String inGuest =
                guest.run(
                        """
                        echo 3 > /proc/sys/vm/drop_caches
                        dd if=/dev/vda bs=1M count=%d 2>/dev/null | sha256sum | cut -c1-64\
                        """
                                .formatted(bytes >> 20));
        String onHost = Hashes.of(disk.image(), bytes);
        boolean same = inGuest.equals(onHost);
        story.fact("  of the disk's first 48 MiB", inGuest);
        story.fact("  of the file's, on the host", "%s  %s", onHost, same ? "same" : "DIFFERENT");
        return same;
    }
}
