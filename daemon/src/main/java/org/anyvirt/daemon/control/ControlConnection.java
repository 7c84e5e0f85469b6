package org.anyvirt.daemon.control;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.anyvirt.daemon.control.ControlRequest.Operation;
import tools.jackson.core.JacksonException;

/** The client's side of the control socket. */
public final class ControlConnection implements AutoCloseable {
    private final Path path;
    private final SocketChannel channel;
    private final BufferedReader input;

    private ControlConnection(Path path, SocketChannel channel) {
        this.path = path;
        this.channel = channel;
        this.input = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
    }

    /**
     * @param timeoutMillis for all that is asked of the connection
     * @throws IOException when no daemon listens there
     */
    public static ControlConnection open(Path path, long timeoutMillis) throws IOException {
        SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(path));
        // A channel that is closed ends the read that waits on it.
        CompletableFuture.delayedExecutor(timeoutMillis, TimeUnit.MILLISECONDS)
                .execute(() -> {
                    try {
                        channel.close();
                    } catch (IOException e) {
                        throw new UncheckedIOException("closing cannot fail", e);
                    }
                });
        return new ControlConnection(path, channel);
    }

    /** Asks, and waits for the answer. */
    public ControlAnswer ask(Operation operation) throws IOException {
        ByteBuffer line =
                StandardCharsets.UTF_8.encode(Json.write(ControlRequest.of(operation)) + "\n");
        String answer;
        try {
            while (line.hasRemaining()) {
                channel.write(line);
            }
            answer = input.readLine();
        } catch (ClosedChannelException e) {
            throw new IOException(path + ": the daemon has not answered in time", e);
        }
        if (answer == null) {
            throw new IOException(path + ": the daemon ended the connection without an answer");
        }
        try {
            return Json.readAnswer(answer);
        } catch (JacksonException e) {
            throw new IOException(path + ": what answers there is no anyvirt", e);
        }
    }

    /** Waits until the daemon has gone. */
    public void awaitEnd() throws IOException {
        try {
            while (input.readLine() != null) {
                // an answer to nothing
            }
        } catch (ClosedChannelException e) {
            throw new IOException(path + ": the daemon has not ended in time", e);
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
