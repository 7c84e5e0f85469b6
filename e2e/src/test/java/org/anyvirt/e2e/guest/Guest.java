package org.anyvirt.e2e.guest;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.anyvirt.transports.vhostuser.message.FrontendRequest;
import org.anyvirt.virtio.spec.Features;

/** A running machine: its console, its monitor, and, once Linux is up, a shell in it. */
public final class Guest implements AutoCloseable {
    private static final Duration BOOT = Duration.ofSeconds(90);

    /** How long a command may take when nothing else is said. */
    public static final Duration COMMAND = Duration.ofSeconds(60);

    private static final Pattern READY = Pattern.compile("#ready \\S+\n");
    private static final Pattern SENT = Pattern.compile("vhost_user_write req:(\\d+) flags:0x(.)");
    private static final Pattern EXIT = Pattern.compile("\n#exit \\d+\n");

    private final Child qemu;
    private final Serial console;
    private final Serial shell;
    private final Qmp monitor;
    private final Path sockets;
    private String kernel;

    Guest(Child qemu, Serial console, Serial shell, Qmp monitor, Path sockets) {
        this.qemu = qemu;
        this.console = console;
        this.shell = shell;
        this.monitor = monitor;
        this.sockets = sockets;
    }

    /** Waits until Linux has booted and its shell answers. */
    void awaitShell() throws IOException {
        try {
            kernel = shell.readUntil(READY, BOOT).match().strip().split(" ")[1];
        } catch (IOException e) {
            throw new IOException(e.getMessage() + "\nQEMU: " + qemu.output(), e);
        }
    }

    /** Whether its Linux has complained that a timer did not fire. */
    boolean hasLostATimer() {
        return console.holds("Possible timer handling issue");
    }

    /** The version of the Linux that runs in it. */
    public String kernel() {
        return kernel;
    }

    /** Waits for text on the console, which firmware and kernel write to. */
    public void awaitConsole(String text, Duration deadline) throws IOException {
        console.readUntil(Pattern.compile(Pattern.quote(text)), deadline);
    }

    /** Runs a script under `sh -eu`, as root. */
    public Output tryRun(String script, Duration deadline) throws IOException {
        shell.send(script + "\n#run\n");
        Serial.Read read = shell.readUntil(EXIT, deadline);
        int status = Integer.parseInt(read.match().strip().split(" ")[1]);
        return new Output(status, read.before().strip());
    }

    /**
     * Runs a script that must succeed.
     *
     * @return what it printed
     */
    public String run(String script, Duration deadline) throws IOException {
        Output output = tryRun(script, deadline);
        if (output.status != 0) {
            throw new IOException(
                    "in the guest, status %d:\n%s\nof:\n%s"
                            .formatted(output.status, output.text, script));
        }
        return output.text;
    }

    public String run(String script) throws IOException {
        return run(script, COMMAND);
    }

    /**
     * The status of a script and what it printed.
     *
     * @param status 0 for success
     */
    public record Output(int status, String text) {}

    /** What driver and device of a disk agreed on, as the driver sees it. */
    public Features features(String disk) throws IOException {
        String bits = run("cat /sys/block/" + disk + "/device/features");
        Features features = Features.NONE;
        for (int bit = 0; bit < bits.length(); bit++) {
            features = bits.charAt(bit) == '1' ? features.with(bit) : features;
        }
        return features;
    }

    /** Reboots from inside, and waits for the shell of the next Linux. */
    public void reboot() throws IOException {
        shell.send("reboot -f\n#run\n");
        awaitShell();
    }

    /** Polls a script in the guest until it succeeds, as `sh -e` sees it. */
    public void await(String condition, Duration deadline) throws IOException {
        // Bounded in the guest too, whose shell must come back.
        String poll = "for i in $(seq %d); do if %s; then exit; fi; sleep 0.1; done; exit 1";
        run(poll.formatted(deadline.toMillis() / 100, condition), deadline.multipliedBy(2));
    }

    /** Runs a monitor command. */
    public void monitor(String command, Map<String, Object> arguments) throws IOException {
        monitor.execute(command, arguments);
    }

    /** The vhost-user messages that QEMU has sent for its disks. */
    public Set<FrontendRequest> messages() throws IOException {
        Set<FrontendRequest> messages = EnumSet.noneOf(FrontendRequest.class);
        SENT.matcher(qemu.output())
                .results()
                .map(sent -> FrontendRequest.of(Integer.parseInt(sent.group(1))))
                .forEach(messages::add);
        return messages;
    }

    /** Waits until QEMU has sent a message. */
    public boolean awaitMessage(FrontendRequest message, Duration deadline) throws IOException {
        return Backends.await(deadline, () -> messages().contains(message));
    }

    /** Whether QEMU has asked that a request without a reply be acknowledged. */
    public boolean askedForAcknowledgements() throws IOException {
        return SENT.matcher(qemu.output()).results().anyMatch(sent -> sent.group(2).equals("9"));
    }

    /** Ends QEMU in an orderly way, as an administrator would; the guest is not asked. */
    public void quit() throws IOException {
        monitor.execute("quit", Map.of());
        qemu.await(Duration.ofSeconds(20));
    }

    @Override
    public void close() throws IOException {
        qemu.close();
        console.close();
        shell.close();
        monitor.close();
        Places.delete(sockets);
    }
}
