package org.anyvirt.daemon.command;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.concurrent.Callable;
import org.anyvirt.daemon.demo.Demonstration;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code anyvirt demo}: the whole of it, in a minute. */
@Command(
        name = "demo",
        header = "Serve a disk, drive it and verify it, with a guest where there is QEMU.",
        footer = {"", "It takes less than a minute, needs no rights, and leaves nothing behind."})
final class DemoCommand implements Callable<Integer> {
    private static final int MEASURE_MILLIS = 800;

    @Option(names = "--no-guest", description = "Without the guest, also where there is QEMU.")
    private boolean noGuest;

    @Spec private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        AnyvirtCommand.logAtMost("WARN");
        // Not in java.io.tmpdir, which can be longer than a socket's path may be.
        Path folder = Files.createTempDirectory(Path.of("/tmp"), "anyvirt-demo-");
        Thread onSignal = Thread.ofPlatform().unstarted(() -> abandon(folder));
        Runtime.getRuntime().addShutdownHook(onSignal);
        try {
            boolean right =
                    new Demonstration(spec.commandLine().getOut(), folder)
                            .run(MEASURE_MILLIS, !noGuest);
            return right ? ExitCode.OK : ExitCode.FAILURE;
        } finally {
            delete(folder);
        }
    }

    /** A signal has come: a guest must not outlive its disk. */
    private static void abandon(Path folder) {
        ProcessHandle.current().descendants().forEach(ProcessHandle::destroyForcibly);
        delete(folder);
    }

    private static void delete(Path folder) {
        try {
            Files.walkFileTree(
                    folder,
                    new SimpleFileVisitor<>() {
                        @Override
                        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                                throws IOException {
                            Files.deleteIfExists(file);
                            return FileVisitResult.CONTINUE;
                        }

                        @Override
                        public FileVisitResult postVisitDirectory(Path visited, IOException e)
                                throws IOException {
                            Files.deleteIfExists(visited);
                            return FileVisitResult.CONTINUE;
                        }
                    });
        } catch (IOException e) {
            System.err.println("anyvirt: left behind: " + folder);
        }
    }
}
