package org.anyvirt.daemon.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** {@code anyvirt} in a process of its own, on the class path of the tests. */
final class DaemonProcess implements AutoCloseable {
    private static final long DEADLINE_SECONDS = 30;

    private final Process process;
    private final Path log;

    private DaemonProcess(Process process, Path log) {
        this.process = process;
        this.log = log;
    }

    static DaemonProcess start(Path log, String... arguments) throws IOException {
        return start(new ProcessBuilder(command(arguments)), log);
    }

    static DaemonProcess start(ProcessBuilder builder, Path log) throws IOException {
        builder.redirectErrorStream(true).redirectOutput(log.toFile());
        return new DaemonProcess(builder.start(), log);
    }

    static List<String> command(String... arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("--enable-native-access=ALL-UNNAMED");
        command.add("--illegal-native-access=deny");
        command.add("-XX:TieredStopAtLevel=1");
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.add("org.anyvirt.daemon.Anyvirt");
        command.addAll(List.of(arguments));
        return command;
    }

    Process process() {
        return process;
    }

    String log() throws IOException {
        return Files.readString(log);
    }

    /** Waits until the log has a line with this text. */
    DaemonProcess awaitLog(String text) throws IOException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(DEADLINE_SECONDS);
        while (!log().contains(text)) {
            assertThat(process.isAlive()).as("is alive; its log: %s", log()).isTrue();
            assertThat(System.nanoTime()).as("no '%s' in: %s", text, log()).isLessThan(deadline);
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
        }
        return this;
    }

    /** Waits for the end, and returns the exit code. */
    int awaitEnd() throws IOException, InterruptedException {
        assertThat(process.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS))
                .as("has ended; its log: %s", log())
                .isTrue();
        return process.exitValue();
    }

    @Override
    public void close() {
        kill();
    }

    void kill() {
        process.destroyForcibly().onExit().join();
    }
}
