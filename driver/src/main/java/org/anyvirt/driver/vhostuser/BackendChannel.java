package org.anyvirt.driver.vhostuser;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.UnixSocket;
import org.anyvirt.transports.vhostuser.message.BackendRequest;
import org.anyvirt.transports.vhostuser.message.Header;
import org.anyvirt.transports.vhostuser.message.Payload;

/**
 * Where a backend asks something of its frontend: the channel of {@code SET_BACKEND_REQ_FD}, with a
 * thread that listens. Control plane.
 */
final class BackendChannel implements AutoCloseable {
    private static final Logger LOG = System.getLogger(BackendChannel.class.getName());

    private final UnixSocket[] pair;
    private final MessageChannel channel;
    private final Runnable configChanged;
    private final Thread thread;

    BackendChannel(Runnable configChanged) throws IOException {
        this.pair = UnixSocket.pair();
        this.channel = new MessageChannel(pair[0]);
        this.configChanged = configChanged;
        this.thread =
                Thread.ofPlatform().daemon().name("vhost-user-backend-requests").start(this::run);
    }

    /** The backend's end; it may be closed once sent. */
    UnixSocket backendEnd() {
        return pair[1];
    }

    private void run() {
        try {
            for (var message = channel.receive(); message != null; message = channel.receive()) {
                message.descriptors().forEach(Fd::close);
                answer(message.header());
            }
        } catch (IOException | IllegalStateException e) {
            LOG.log(Level.DEBUG, "backend requests end: {0}", e.getMessage());
        }
    }

    private void answer(Header header) throws IOException {
        boolean known = header.request() == BackendRequest.CONFIG_CHANGE_MSG.id();
        if (known) {
            configChanged.run();
        } else {
            LOG.log(Level.WARNING, "the backend asks what this frontend cannot do: {0}", header);
        }
        if (header.needsReply()) {
            Payload.U64 answer = new Payload.U64(known ? 0 : 1);
            channel.send(Header.reply(header.request(), answer), answer);
        }
    }

    @Override
    public void close() {
        try {
            pair[0].shutdown(); // Wakes the thread, which alone uses the descriptor.
            thread.join();
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "backend requests: {0}", e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            channel.close();
            pair[1].close();
        }
    }
}
