package org.anyvirt.daemon.control;

import java.io.IOException;
import java.net.SocketException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.ThreadLocalRandom;
import org.anyvirt.daemon.configuration.ControlSocket;

/** A Unix socket that only its owner may connect to, from the first moment on. */
final class ListeningSocket implements AutoCloseable {
    private final ServerSocketChannel channel;
    private final Path path;
    private final Object file;

    private ListeningSocket(ServerSocketChannel channel, Path path) throws IOException {
        this.channel = channel;
        this.path = path;
        this.file = fileAt(path);
    }

    ServerSocketChannel channel() {
        return channel;
    }

    Path path() {
        return path;
    }

    /** Replaces a socket that nobody listens on any more; refuses any other file. */
    static ListeningSocket open(ControlSocket where) throws IOException {
        Path path = where.path().toAbsolutePath();
        refuseLive(path);
        Path parent = path.getParent();
        var ownerOnly = PosixFilePermissions.fromString("rwx------");
        if (!Files.isDirectory(parent)) {
            Files.createDirectories(parent, PosixFilePermissions.asFileAttribute(ownerOnly));
        }
        if (!where.chosen()) {
            refuseForeign(parent);
        }
        // bind() makes a socket that the umask permits. So it is made where nobody else can enter,
        // and moved once its mode is right.
        Path hidden = parent.resolve(".%08x".formatted(ThreadLocalRandom.current().nextInt()));
        Files.createDirectory(hidden, PosixFilePermissions.asFileAttribute(ownerOnly));
        Path socket = hidden.resolve("s");
        ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            channel.bind(UnixDomainSocketAddress.of(socket));
            Files.setPosixFilePermissions(socket, PosixFilePermissions.fromString("rw-------"));
            Files.move(socket, path, StandardCopyOption.ATOMIC_MOVE);
            return new ListeningSocket(channel, path);
        } catch (IOException e) {
            channel.close();
            throw e;
        } finally {
            Files.deleteIfExists(socket);
            Files.delete(hidden);
        }
    }

    private static void refuseLive(Path path) throws IOException {
        if (fileAt(path) == null) {
            return;
        }
        if (!Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                .isOther()) {
            throw new IOException(path + " exists, and is not a socket");
        }
        try {
            SocketChannel.open(UnixDomainSocketAddress.of(path)).close();
        } catch (SocketException e) {
            return; // refused: nobody listens
        }
        throw new IOException(path + " is the control socket of another process");
    }

    /** A directory in /tmp could be anybody's. */
    private static void refuseForeign(Path directory) throws IOException {
        Object owner = Files.getAttribute(directory, "unix:uid", LinkOption.NOFOLLOW_LINKS);
        int mode = (Integer) Files.getAttribute(directory, "unix:mode", LinkOption.NOFOLLOW_LINKS);
        if (!owner.equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"))
                || (mode & 022) != 0) {
            throw new IOException(directory + " could be written to by another user");
        }
    }

    private static Object fileAt(Path path) throws IOException {
        try {
            return Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                    .fileKey();
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** Also removes the file, unless another process has put its own there meanwhile. */
    @Override
    public void close() throws IOException {
        channel.close();
        if (file.equals(fileAt(path))) {
            Files.deleteIfExists(path);
        }
    }
}
