package org.anyvirt.daemon.demo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.anyvirt.daemon.serving.Daemon;
import org.anyvirt.daemon.serving.RefusedException;
import org.anyvirt.driver.block.BlockDriver;
import org.anyvirt.driver.block.BlockOptions;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.OpenFile;

/** What changes while a driver drives. */
final class Changes {
    private static final long CAPACITY = 256 << 20;

    private final Story story;
    private final Daemon daemon;
    private final DemoDisk disk;

    Changes(Story story, Daemon daemon, DemoDisk disk) {
        this.story = story;
        this.daemon = daemon;
        this.disk = disk;
    }

    boolean run() throws IOException, InterruptedException, RefusedException {
        story.chapter("It changes while it is driven");
        try (BlockDriver driver = disk.drive(BlockOptions.defaults())) {
            boolean right = resize(driver);
            discard(driver);
            return right;
        }
    }

    private boolean resize(BlockDriver driver)
            throws IOException, InterruptedException, RefusedException {
        CountDownLatch told = new CountDownLatch(1);
        driver.device().onConfigChange(told::countDown);
        long before = driver.config().capacity() * 512;
        daemon.resize(disk.name(), CAPACITY);
        boolean right =
                told.await(5, TimeUnit.SECONDS) && driver.config().capacity() * 512 == CAPACITY;
        story.fact(
                "resized",
                "from %d to %d MiB; %s",
                before >> 20,
                CAPACITY >> 20,
                right ? "the driver was told, and sees it" : "the driver does NOT see it");
        return right;
    }

    private void discard(BlockDriver driver) throws IOException {
        if (disk.image() == null) {
            return;
        }
        driver.disk().flush();
        long before = allocated(disk.image());
        driver.disk().discard(0, Files.size(disk.image()));
        driver.disk().flush();
        story.fact(
                "discarded",
                "all of it; the file took up %d MiB, and takes up %d now",
                before >> 20,
                allocated(disk.image()) >> 20);
    }

    private static long allocated(Path file) throws IOException {
        try (Fd fd = OpenFile.open(file, OpenFile.O_RDONLY, 0)) {
            return OpenFile.stat(fd).blocks512() * 512;
        }
    }
}
