package org.anyvirt.e2e.guest;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Our daemon in a process of its own, as `./anyvirt serve --config` starts it. */
public final class AnyvirtDaemon implements AutoCloseable {
    private static final Duration LIFE = Duration.ofMinutes(60);
    private static final Duration CONTROL = Duration.ofSeconds(20);

    private final String name;
    private final Path folder;
    private final Child process;

    private AnyvirtDaemon(String name, Path folder, Child process) {
        this.name = name;
        this.folder = folder;
        this.process = process;
    }

    /**
     * Starts it, and waits until it listens for each device.
     *
     * @param name of its logs
     * @param block the devices, as the configuration file has them under {@code block:}; {@code
     *     SOCKETS} stands for a folder, and the socket of device {@code x} is {@code SOCKETS/x}
     * @param devices the names of the devices
     */
    public static AnyvirtDaemon serve(String name, String block, String... devices)
            throws IOException {
        return serve(List.of(), name, block, devices);
    }

    /**
     * The same.
     *
     * @param jvm more flags for the JVM
     */
    public static AnyvirtDaemon serve(
            List<String> jvm, String name, String block, String... devices) throws IOException {
        Path folder = Places.shortFolder();
        Path configuration = folder.resolve("anyvirt.yaml");
        String text = "control: SOCKETS/control\nblock:\n" + block.indent(2);
        Files.writeString(configuration, text.replace("SOCKETS", folder.toString()));
        Path log = Places.logs().resolve(name + ".backend");
        List<String> command = command("serve", "--config", configuration.toString());
        command.addAll(1, jvm);
        AnyvirtDaemon daemon = new AnyvirtDaemon(name, folder, Child.start(log, LIFE, command));
        try {
            for (String device : devices) {
                Backends.awaitSocket(daemon.socket(device), daemon.process);
            }
            return daemon;
        } catch (IOException e) {
            daemon.close();
            throw e;
        }
    }

    /** The process of the JVM. */
    public long pid() {
        return process.pid();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /** Where a device listens. */
    public Path socket(String device) {
        return folder.resolve(device);
    }

    /** Runs `anyvirt ctl` and returns what it printed. */
    public String control(String... arguments) throws IOException {
        List<String> command = command("ctl", "--socket", folder.resolve("control").toString());
        command.addAll(List.of(arguments));
        Path log = Places.logs().resolve(name + ".ctl");
        try (Child ctl = Child.start(log, CONTROL, command)) {
            if (ctl.await(CONTROL) != 0) {
                throw new IOException("anyvirt ctl failed: " + ctl.output());
            }
            return ctl.output();
        }
    }

    /** All it has logged. */
    public String log() throws IOException {
        return process.output();
    }

    /** How many file descriptors it has open. */
    public int descriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/" + process.pid() + "/fd"))) {
            return (int) open.count();
        }
    }

    /** Asks it to end, as `kill` does, and returns its exit status. */
    public int terminate() throws IOException {
        process.terminate();
        return process.await(Duration.ofSeconds(20));
    }

    /** From the class path of this test: a launcher might build while Maven runs. */
    private static List<String> command(String... arguments) {
        String classPath = System.getProperty("java.class.path");
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
        command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-cp", classPath));
        command.add("org.anyvirt.daemon.Anyvirt");
        command.addAll(List.of(arguments));
        return command;
    }

    @Override
    public void close() throws IOException {
        process.close();
        Places.delete(folder);
    }
}
