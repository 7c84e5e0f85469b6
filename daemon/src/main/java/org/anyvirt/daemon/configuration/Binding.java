package org.anyvirt.daemon.configuration;

import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import org.anyvirt.transports.vhostuser.Endpoint;

/**
 * Where a device meets its driver: {@code vhost-user:PATH}, followed by {@code ,mode=0660} or
 * {@code ,connect=on}.
 */
public sealed interface Binding {
    /** As in {@code struct sockaddr_un}, without the final zero byte. */
    int SOCKET_PATH_BYTES_MAX = 107;

    /** The owner of the socket's process, and nobody else. */
    int MODE_DEFAULT = 0600;

    static Binding parse(String text) {
        if (!text.startsWith("vhost-user:")) {
            throw InvalidValueException.of(
                    text, "vhost-user:PATH, with the path of the socket to listen on");
        }
        String[] parts = text.substring("vhost-user:".length()).split(",", -1);
        Path path = socketPath(text, parts[0]);
        if (parts.length == 1) {
            return new VhostUser(new Endpoint.Listen(path, MODE_DEFAULT));
        }
        if (parts.length == 2 && parts[1].equals("connect=on")) {
            return new VhostUser(new Endpoint.Connect(path));
        }
        if (parts.length == 2 && parts[1].matches("mode=0?[0-7]{3}")) {
            return new VhostUser(
                    new Endpoint.Listen(path, Integer.parseInt(parts[1].substring(5), 8)));
        }
        throw InvalidValueException.of(
                text, "nothing after the path but ',mode=0660' (in octal) or ',connect=on'");
    }

    /**
     * A path that a Unix socket can have.
     *
     * @param whole for the error message
     */
    static Path socketPath(String whole, String path) {
        int length = path.getBytes(StandardCharsets.UTF_8).length;
        if (length == 0) {
            throw InvalidValueException.of(whole, "the path of a socket");
        }
        if (length > SOCKET_PATH_BYTES_MAX) {
            throw InvalidValueException.of(
                    whole,
                    "a path of at most %d bytes (a limit of Unix sockets), this has %d"
                            .formatted(SOCKET_PATH_BYTES_MAX, length));
        }
        try {
            return Path.of(path);
        } catch (InvalidPathException e) {
            throw InvalidValueException.of(whole, "the path of a socket: " + e.getReason());
        }
    }

    /** What two devices cannot both have: the socket, however it is written. */
    Object exclusive();

    /** The same for a process with another working directory. */
    Binding withAbsolutePath();

    /** A vhost-user frontend. */
    record VhostUser(Endpoint endpoint) implements Binding {
        @Override
        public Object exclusive() {
            return switch (endpoint) {
                case Endpoint.Listen(Path path, int mode) -> path.toAbsolutePath().normalize();
                case Endpoint.Connect(Path path) -> path.toAbsolutePath().normalize();
                case Endpoint.Inherited(int descriptor) -> descriptor;
            };
        }

        @Override
        public Binding withAbsolutePath() {
            return switch (endpoint) {
                case Endpoint.Listen(Path path, int mode) ->
                        new VhostUser(new Endpoint.Listen(path.toAbsolutePath(), mode));
                case Endpoint.Connect(Path path) ->
                        new VhostUser(new Endpoint.Connect(path.toAbsolutePath()));
                case Endpoint.Inherited inherited -> this;
            };
        }

        @Override
        public String toString() {
            return switch (endpoint) {
                case Endpoint.Listen(Path path, int mode) ->
                        "vhost-user:%s%s"
                                .formatted(
                                        path,
                                        mode == MODE_DEFAULT ? "" : ",mode=0%o".formatted(mode));
                case Endpoint.Connect(Path path) -> "vhost-user:%s,connect=on".formatted(path);
                case Endpoint.Inherited(int descriptor) -> "vhost-user:fd=" + descriptor;
            };
        }
    }
}
