package org.anyvirt.daemon.demo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A Linux that boots with nothing but an initramfs, made by e2e/guest/build of packages of this
 * distribution.
 */
record GuestImage(Path kernel, Path initrd) {
    private static final String QEMU = "qemu-system-x86_64";

    /** There is none; the message says what to install. */
    static final class MissingException extends Exception {
        private static final long serialVersionUID = 1;

        MissingException(String message) {
            super(message);
        }
    }

    /**
     * @param folder for the log
     * @param seconds that making it may take; it is kept for the next time
     */
    static GuestImage find(Path folder, int seconds)
            throws IOException, InterruptedException, MissingException {
        if (!isInstalled(QEMU)) {
            throw new MissingException(
                    "not shown: there is no %s here; to see it (Debian, Ubuntu):\n  %s"
                            .formatted(
                                    QEMU,
                                    "apt install qemu-system-x86 busybox-static cpio kmod fio"
                                            + " e2fsprogs"));
        }
        Path build = Path.of(System.getProperty("anyvirt.home", "."), "e2e", "guest", "build");
        if (!Files.isExecutable(build)) {
            throw new MissingException("not shown: the guest is made in a source tree only");
        }
        Path output = folder.resolve("image.path");
        Path log = folder.resolve("image.log");
        Process process =
                new ProcessBuilder(build.toString())
                        .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                        .redirectOutput(output.toFile())
                        .redirectError(log.toFile())
                        .start();
        try {
            if (!process.waitFor(seconds, TimeUnit.SECONDS)) {
                throw new MissingException(
                        "not shown: the guest was not made within %d seconds".formatted(seconds));
            }
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
        if (process.exitValue() != 0) {
            throw new MissingException("not shown: " + lastLine(log));
        }
        Path made = Path.of(lastLine(output));
        return new GuestImage(made.resolve("vmlinuz"), made.resolve("initrd-tools"));
    }

    private static String lastLine(Path file) throws IOException {
        List<String> lines = Files.readAllLines(file);
        return lines.isEmpty() ? "" : lines.getLast();
    }

    private static boolean isInstalled(String program) {
        String path = System.getenv().getOrDefault("PATH", "");
        for (String folder : path.split(":")) {
            if (!folder.isEmpty() && Files.isExecutable(Path.of(folder, program))) {
                return true;
            }
        }
        return false;
    }
}
