package org.anyvirt.e2e.guest;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One serial port of a guest, or another stream of QEMU: a Unix socket that QEMU connects to.
 *
 * <p>We listen before QEMU starts, so that nothing the guest says is lost. All that comes is
 * logged, and kept until {@link #readUntil} consumes it.
 */
final class Serial implements AutoCloseable {
    private static final int SHOWN = 4000;

    private final ServerSocketChannel listener;
    private final Path path;
    private final Thread reader;
    private final StringBuilder unread = new StringBuilder();
    private SocketChannel peer;
    private String ended;

    Serial(Path path, Path log) throws IOException {
        this.path = path;
        listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        listener.bind(UnixDomainSocketAddress.of(path));
        reader = Thread.ofVirtual().name(path.getFileName().toString()).start(() -> read(log));
    }

    /** The QEMU chardev that connects to this port. */
    String chardev(String id) {
        return "socket,id=" + id + ",path=" + path;
    }

    void send(String text) throws IOException {
        SocketChannel channel;
        synchronized (this) {
            channel = peer;
        }
        if (channel == null) {
            throw new IOException(path.getFileName() + ": QEMU has not connected");
        }
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(ISO_8859_1));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /**
     * Waits until {@code pattern} appears and consumes the text up to its end.
     *
     * @return the match; its {@code start()} is where the text before it ends
     * @throws IOException at the deadline, or when QEMU ended, with what came last
     */
    synchronized Read readUntil(Pattern pattern, Duration deadline) throws IOException {
        long end = System.nanoTime() + deadline.toNanos();
        while (true) {
            Matcher matcher = pattern.matcher(unread);
            if (matcher.find()) {
                Read read = new Read(unread.substring(0, matcher.start()), matcher.group());
                unread.delete(0, matcher.end());
                return read;
            }
            long left = (end - System.nanoTime()) / 1_000_000;
            if (ended != null || left <= 0) {
                String why = ended != null ? ended : "not within " + deadline;
                throw new IOException(
                        "%s: no `%s`: %s; last came:\n%s"
                                .formatted(path.getFileName(), pattern, why, tail()));
            }
            try {
                wait(left);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted while waiting for " + pattern, e);
            }
        }
    }

    /** Whether a text has come and is not consumed. */
    synchronized boolean holds(String text) {
        return unread.indexOf(text) >= 0;
    }

    /** What came before the match, and the match. */
    record Read(String before, String match) {}

    private String tail() {
        return unread.substring(Math.max(0, unread.length() - SHOWN));
    }

    private void read(Path log) {
        String end = "QEMU closed it";
        try (OutputStream copy = Files.newOutputStream(log);
                SocketChannel channel = listener.accept()) {
            synchronized (this) {
                peer = channel;
                notifyAll();
            }
            ByteBuffer bytes = ByteBuffer.allocate(8192);
            while (channel.read(bytes) >= 0) {
                bytes.flip();
                copy.write(bytes.array(), 0, bytes.limit());
                String text = ISO_8859_1.decode(bytes).toString();
                bytes.clear();
                synchronized (this) {
                    unread.append(text);
                    notifyAll();
                }
            }
        } catch (IOException e) {
            end = e.toString();
        }
        synchronized (this) {
            ended = end;
            notifyAll();
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        SocketChannel channel;
        synchronized (this) {
            channel = peer;
        }
        if (channel != null) {
            channel.close();
        }
        try {
            reader.join(Duration.ofSeconds(5));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        Files.deleteIfExists(path);
    }
}
