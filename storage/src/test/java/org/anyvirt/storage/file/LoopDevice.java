package org.anyvirt.storage.file;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.OpenFile;

/** A block device on a file, where this process may have one. */
final class LoopDevice implements AutoCloseable {
    final Path path;

    /** Skips the test, saying why, where there can be none. */
    LoopDevice(Path file, long size, int logicalBlockSize) throws IOException {
        assumeTrue(Files.exists(Path.of("/dev/loop-control")), "no loop devices in this kernel");
        try (Fd fd = OpenFile.open(file, OpenFile.O_RDWR | OpenFile.O_CREAT, 0600)) {
            OpenFile.truncate(fd, size);
        }
        String name = run("losetup", "-f", "--show", "-b", "" + logicalBlockSize, file.toString());
        assumeTrue(name != null, "losetup is not there, or not for this user");
        path = Path.of(name);
    }

    @Override
    public void close() {
        run("losetup", "-d", path.toString());
    }

    /** What it printed, or null when it failed. */
    static String run(String... command) {
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            byte[] out = process.getInputStream().readAllBytes();
            boolean ended = process.waitFor(20, TimeUnit.SECONDS);
            return ended && process.exitValue() == 0
                    ? new String(out, StandardCharsets.UTF_8).strip()
                    : null;
        } catch (IOException e) {
            return null;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
