package org.anyvirt.e2e.guest;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * A process that does not outlive the test: not when the test fails, not when the JVM is told to
 * end, and not beyond its longest life in any case.
 */
public final class Child implements AutoCloseable {
    private static final Set<Process> ALIVE = ConcurrentHashMap.newKeySet();

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> ALIVE.forEach(Child::kill)));
    }

    private final Process process;
    private final Path log;

    private Child(Process process, Path log) {
        this.process = process;
        this.log = log;
    }

    /**
     * Starts a program.
     *
     * @param log where its output goes
     * @param life after which it is killed, whatever became of this JVM
     */
    public static Child start(Path log, Duration life, List<String> command) throws IOException {
        List<String> bounded = new ArrayList<>(List.of("timeout", "--kill-after=5"));
        bounded.add(Long.toString(life.toSeconds()));
        bounded.addAll(command);
        Files.createDirectories(log.getParent());
        Files.writeString(log, "$ " + String.join(" ", command) + "\n");
        ProcessBuilder builder = new ProcessBuilder(bounded).redirectErrorStream(true);
        builder.redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
        Process process = builder.start();
        ALIVE.add(process);
        return new Child(process, log);
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /** The program's process id, not that of the `timeout` that bounds its life. */
    public long pid() {
        return process.descendants().findFirst().orElse(process.toHandle()).pid();
    }

    /** All it has printed. */
    public String output() throws IOException {
        return Files.readString(log);
    }

    /** Asks it to end (SIGTERM). */
    public void terminate() {
        process.destroy();
    }

    /**
     * Waits for its end.
     *
     * @return its exit status
     * @throws IOException when it still runs at the deadline
     */
    public int await(Duration deadline) throws IOException {
        try {
            if (process.waitFor(deadline.toMillis(), TimeUnit.MILLISECONDS)) {
                ALIVE.remove(process);
                return process.exitValue();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        throw new IOException("still runs after " + deadline + ": " + output());
    }

    @Override
    public void close() {
        kill(process);
        ALIVE.remove(process);
    }

    private static void kill(Process process) {
        // The children first: a `timeout` that is killed would leave its own running.
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        try {
            process.waitFor(5, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
