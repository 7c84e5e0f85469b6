package org.anyvirt.daemon.configuration;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Where the daemon listens for {@code anyvirt ctl}.
 *
 * @param path null for no socket at all
 * @param chosen whether somebody asked for this path; then not getting it is an error
 */
public record ControlSocket(Path path, boolean chosen) {
    public static final ControlSocket NONE = new ControlSocket(null, true);

    /** A path, or {@code none}. */
    public static ControlSocket parse(String text) {
        return text.equals("none") ? NONE : new ControlSocket(Binding.socketPath(text, text), true);
    }

    /** The user's own run-time directory, or one in /tmp where there is none. */
    public static ControlSocket byDefault() {
        return new ControlSocket(
                byDefault(userId(), System.getenv().getOrDefault("XDG_RUNTIME_DIR", "")), false);
    }

    static Path byDefault(int userId, String runtimeDirectory) {
        if (userId == 0) {
            return Path.of("/run/anyvirt/control.sock");
        }
        return runtimeDirectory.startsWith("/") && Files.isDirectory(Path.of(runtimeDirectory))
                ? Path.of(runtimeDirectory, "anyvirt", "control.sock")
                : Path.of("/tmp", "anyvirt-" + userId, "control.sock");
    }

    private static int userId() {
        try {
            return (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        } catch (IOException e) {
            throw new UncheckedIOException("/proc is not mounted", e);
        }
    }
}
