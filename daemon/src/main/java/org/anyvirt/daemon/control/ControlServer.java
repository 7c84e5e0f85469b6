package org.anyvirt.daemon.control;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.UnaryOperator;
import org.anyvirt.daemon.configuration.ControlSocket;

/**
 * Answers lines with lines on a Unix socket. What a client may cost is bounded: bytes a line, time
 * to send one and to take its answer, clients at once.
 */
public final class ControlServer implements AutoCloseable {
    private static final Logger LOG = System.getLogger(ControlServer.class.getName());

    /**
     * What a client may cost.
     *
     * @param lineBytes of a request, with its end
     * @param patience for a request to arrive whole, and for its answer to be taken
     * @param clients at once
     */
    public record Limits(int lineBytes, Duration patience, int clients) {
        public static final Limits DEFAULT = new Limits(64 * 1024, Duration.ofSeconds(10), 32);
    }

    private final ListeningSocket socket;
    private final UnaryOperator<String> responder;
    private final Limits limits;
    private final Set<Conversation> conversations = ConcurrentHashMap.newKeySet();
    private final ScheduledThreadPoolExecutor alarms;

    private ControlServer(ListeningSocket socket, UnaryOperator<String> responder, Limits limits) {
        this.socket = socket;
        this.responder = responder;
        this.limits = limits;
        alarms =
                new ScheduledThreadPoolExecutor(
                        1, Thread.ofPlatform().daemon().name("control alarms").factory());
        alarms.setRemoveOnCancelPolicy(true);
        Thread.ofPlatform().daemon().name("control").start(this::accept);
    }

    /**
     * @param responder makes the answer to a request, both without line ends; from any thread
     * @throws IOException when the path is another process's, or cannot be listened on
     */
    public static ControlServer listen(
            ControlSocket where, UnaryOperator<String> responder, Limits limits)
            throws IOException {
        return new ControlServer(ListeningSocket.open(where), responder, limits);
    }

    public Path path() {
        return socket.path();
    }

    /** Clients that are connected. */
    int clients() {
        return conversations.size();
    }

    private void accept() {
        boolean failing = false;
        while (socket.channel().isOpen()) {
            try {
                SocketChannel client = socket.channel().accept();
                failing = false;
                if (conversations.size() >= limits.clients()) {
                    LOG.log(Level.WARNING, "control: more than {0} clients", limits.clients());
                    client.close();
                } else {
                    converse(new Conversation(client, limits, alarms));
                }
            } catch (ClosedChannelException e) {
                return;
            } catch (IOException e) { // no descriptors left, perhaps: do not spin on it
                if (!failing) {
                    LOG.log(Level.WARNING, "control: {0}", e.getMessage());
                }
                failing = true;
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
            }
        }
    }

    private void converse(Conversation conversation) {
        conversations.add(conversation);
        Thread.ofVirtual()
                .name("control client")
                .start(() -> {
                    try (conversation) {
                        conversation.run(responder);
                    } catch (IOException e) {
                        LOG.log(Level.DEBUG, "control: a client is gone: {0}", e);
                    } finally {
                        conversations.remove(conversation);
                    }
                });
    }

    /** Ends every conversation, and removes the socket. */
    @Override
    public void close() throws IOException {
        socket.close();
        conversations.forEach(Conversation::close);
        alarms.shutdownNow();
    }
}
