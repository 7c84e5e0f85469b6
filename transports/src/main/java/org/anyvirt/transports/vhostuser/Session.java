package org.anyvirt.transports.vhostuser;

import static org.anyvirt.transports.vhostuser.message.ProtocolFeature.*;

import java.io.EOFException;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;
import org.anyvirt.linux.PeerCredentials;
import org.anyvirt.linux.Poll;
import org.anyvirt.linux.UnixSocket;
import org.anyvirt.transports.vhostuser.message.FrontendRequest;
import org.anyvirt.transports.vhostuser.message.Header;
import org.anyvirt.transports.vhostuser.message.MalformedMessageException;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.Shape;
import org.anyvirt.virtio.device.Device;
import org.anyvirt.virtio.device.QueueCounters;
import org.anyvirt.virtio.device.Runner;

/**
 * A conversation with one frontend.
 *
 * <p>A request that is not honoured is refused: with a reply where one can say so, else by ending
 * the session, because a frontend that hears nothing takes it for done. Bytes of which the end
 * cannot be told always end it.
 *
 * <p>Control plane. {@link #run} uses one thread until the frontend goes, or another asks it to
 * {@link #end}.
 */
final class Session {
    private static final Logger LOG = System.getLogger(Session.class.getName());

    /** A hostile frontend must not fill the disk with our complaints. */
    private static final int REFUSALS_LOGGED = 16;

    private final String name;
    private final Device served;
    private final Connection connection;
    private final WakeUp events;
    private final VhostDevice device;
    private final Dispatch dispatch;
    private BackendChannel channel;
    private volatile boolean configChanged;
    private volatile boolean ending;
    private volatile boolean draining;
    private int refusals;

    /**
     * @param socket is this session's from now on, also when it does not come to be
     */
    Session(String name, Device device, UnixSocket socket, List<Runner> runners)
            throws IOException {
        this.name = name;
        this.served = device;
        this.connection = new Connection(socket);
        try {
            this.events = new WakeUp();
        } catch (IOException e) {
            connection.close();
            throw e;
        }
        this.device = new VhostDevice(name, device, runners, this::needsReset);
        this.dispatch = new Dispatch(this.device, this);
    }

    /** Serves until the frontend goes. */
    void run() {
        AutoCloseable listening = served.config().onDeviceChange(this::configChanged);
        try {
            PeerCredentials peer = connection.socket().peer();
            LOG.log(Level.INFO, () -> name + ": frontend connected, process " + peer.pid());
            while (!ending && converse()) {
                sendConfigChange();
            }
            LOG.log(Level.INFO, "{0}: {1}", name, ending ? "closing" : "frontend disconnected");
        } catch (MalformedMessageException e) {
            LOG.log(Level.WARNING, "{0}: not vhost-user, session ended: {1}", name, e.getMessage());
        } catch (SessionEndedException e) {
            LOG.log(Level.WARNING, "{0}: session ended: {1}", name, e.getMessage());
        } catch (IOException e) {
            LOG.log(Level.INFO, "{0}: frontend lost: {1}", name, e.getMessage());
        } finally {
            if (refusals > REFUSALS_LOGGED) {
                LOG.log(Level.WARNING, "{0}: {1} requests were refused", name, refusals);
            }
            giveBack(listening);
        }
    }

    /** Ends the session after the message that is being handled; from any thread. */
    void end() {
        ending = true;
        events.signal();
    }

    /** Ends also a message that the frontend has begun and does not finish; from any thread. */
    void cutOff() {
        try {
            if (!draining) {
                connection.shutdown();
            }
        } catch (IOException e) {
            LOG.log(Level.WARNING, "{0}: {1}", name, e.getMessage());
        }
    }

    List<QueueCounters> counters() {
        return device.counters();
    }

    /** {@code SET_BACKEND_REQ_FD}. */
    void backendChannel(UnixSocket socket) throws RefusedException {
        closeChannel();
        try {
            channel = new BackendChannel(socket);
        } catch (IOException e) {
            throw new RefusedException("its descriptor: " + e.getMessage(), e);
        }
    }

    /** Waits for whatever comes first. */
    private boolean converse() throws IOException, MalformedMessageException {
        int ready =
                channel == null
                        ? Poll.await(-1, events.number(), connection.number())
                        : Poll.await(-1, events.number(), connection.number(), channel.number());
        switch (ready) {
            case 0 -> events.drain();
            case 1 -> {
                try (Incoming message = connection.receive()) {
                    if (message == null) {
                        return false;
                    }
                    handle(message);
                }
            }
            default -> receiveFromChannel();
        }
        return true;
    }

    private void handle(Incoming message) throws IOException {
        Header header = message.header();
        FrontendRequest request = FrontendRequest.of(header.request());
        try {
            Payload reply = dispatch.handle(request, message);
            if (request.reply() != Shape.NONE) {
                send(header, reply);
            } else if (wantsReply(header)) {
                send(header, new Payload.U64(0));
            }
        } catch (RefusedException | MalformedMessageException e) {
            refuse(header, request, e);
        }
    }

    private void refuse(Header header, FrontendRequest request, Exception reason)
            throws IOException {
        String what =
                (request == null
                                ? "request " + Integer.toUnsignedString(header.request())
                                : request)
                        + ": "
                        + reason.getMessage();
        boolean hasReply = request != null && request.reply() != Shape.NONE;
        boolean sayable = request == FrontendRequest.GET_CONFIG || !hasReply && wantsReply(header);
        if (!sayable) {
            throw new SessionEndedException(what);
        }
        if (++refusals <= REFUSALS_LOGGED) {
            LOG.log(Level.WARNING, "{0}: refused: {1}", name, what);
        }
        send(header, hasReply ? Payload.EMPTY : new Payload.U64(1));
    }

    private boolean wantsReply(Header header) {
        return header.needsReply() && VHOST_USER_PROTOCOL_F_REPLY_ACK.in(device.protocolFeatures());
    }

    private void send(Header header, Payload reply) throws IOException {
        connection.send(Header.reply(header.request(), reply), reply);
    }

    /** From any thread. */
    private void configChanged() {
        configChanged = true;
        events.signal();
    }

    /** From a runner: with a status, the driver is to hear of it (VIRTIO 1.3, 2.1.2). */
    private void needsReset() {
        if (VHOST_USER_PROTOCOL_F_STATUS.in(device.protocolFeatures())) {
            configChanged();
        }
    }

    /** Tells the frontend, unless the device is suspended: then when it is not any more. */
    private void sendConfigChange() {
        if (!configChanged || channel == null || !channel.isReady() || !device.isServing()) {
            return;
        }
        configChanged = false;
        if (!VHOST_USER_PROTOCOL_F_CONFIG.in(device.protocolFeatures())) {
            return;
        }
        try {
            channel.configChanged(VHOST_USER_PROTOCOL_F_REPLY_ACK.in(device.protocolFeatures()));
        } catch (IOException e) {
            loseChannel(e);
        }
    }

    private void receiveFromChannel() {
        try {
            long result = channel.receive();
            if (result != 0) {
                LOG.log(
                        Level.WARNING,
                        "{0}: the frontend answered a configuration change with {1}",
                        name,
                        Long.toUnsignedString(result));
            }
        } catch (IOException | MalformedMessageException e) {
            loseChannel(e);
        }
    }

    private void loseChannel(Exception reason) {
        // A frontend that goes closes its two connections one after the other.
        Level level = reason instanceof EOFException ? Level.DEBUG : Level.WARNING;
        LOG.log(level, "{0}: backend channel closed: {1}", name, reason.getMessage());
        closeChannel();
    }

    private void closeChannel() {
        if (channel != null) {
            channel.close();
            channel = null;
        }
    }

    /** The frontend hears of the end when what was in flight has ended, too. */
    private void giveBack(AutoCloseable listening) {
        draining = true;
        try (connection;
                listening) {
            device.close();
        } catch (Exception e) {
            throw new AssertionError("closing throws nothing", e);
        } finally {
            closeChannel();
            events.close();
        }
    }

    /** The frontend asked for something that cannot be, and cannot be told. */
    private static final class SessionEndedException extends IOException {
        private static final long serialVersionUID = 1;

        SessionEndedException(String reason) {
            super(reason);
        }
    }
}
