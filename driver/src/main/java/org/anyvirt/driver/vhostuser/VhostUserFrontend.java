package org.anyvirt.driver.vhostuser;

import java.io.IOException;
import java.nio.file.Path;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.UnixSocket;
import org.anyvirt.transports.vhostuser.message.FrontendRequest;
import org.anyvirt.transports.vhostuser.message.Header;
import org.anyvirt.transports.vhostuser.message.MalformedMessageException;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.ProtocolFeature;
import org.anyvirt.transports.vhostuser.message.RegionDescription;
import org.anyvirt.transports.vhostuser.message.Shape;
import org.anyvirt.transports.vhostuser.message.VringDescriptor;

/**
 * The frontend's side of the vhost-user protocol, message by message and in whatever order the
 * caller likes; {@link VhostUserDevice} knows the right one.
 *
 * <p>Control plane, one thread, blocking.
 */
public final class VhostUserFrontend implements AutoCloseable {
    private static final int TIMEOUT_MILLIS = 30_000;

    private final MessageChannel channel;
    private long protocolFeatures;

    /**
     * @param socket connected to a backend; closed with this
     */
    public VhostUserFrontend(UnixSocket socket) throws IOException {
        this.channel = new MessageChannel(socket);
        timeout(TIMEOUT_MILLIS);
    }

    public static VhostUserFrontend connect(Path path) throws IOException {
        return new VhostUserFrontend(UnixSocket.connect(path));
    }

    /** Limits how long a backend may take to read a request, or to answer it. */
    public void timeout(int millis) throws IOException {
        channel.socket().setTimeout(millis);
    }

    /** The socket below: for messages, or bytes, that no frontend should send. */
    public MessageChannel channel() {
        return channel;
    }

    /**
     * Sends a request; waits for its reply, or for the acknowledgement of a request without one
     * when REPLY_ACK is negotiated.
     *
     * @param descriptors go along and stay the caller's
     * @return the reply's payload; {@link Payload#EMPTY} when there is none
     * @throws BackendException when the backend refuses, answers something else, or has gone
     */
    public Payload request(FrontendRequest request, Payload payload, Fd... descriptors)
            throws IOException {
        boolean replies = request.reply() != Shape.NONE;
        boolean acknowledges =
                !replies && ProtocolFeature.VHOST_USER_PROTOCOL_F_REPLY_ACK.in(protocolFeatures);
        channel.send(Header.request(request, acknowledges, payload), payload, descriptors);
        if (replies) {
            return reply(request, request.reply());
        }
        if (acknowledges && reply(request, Shape.U64) instanceof Payload.U64(long failure)) {
            if (failure != 0) {
                throw new BackendException(request + " was refused: " + failure);
            }
        }
        return Payload.EMPTY;
    }

    private Payload reply(FrontendRequest request, Shape shape) throws IOException {
        MessageChannel.Message message = channel.receive();
        if (message == null) {
            throw new BackendException("the backend closed instead of answering " + request);
        }
        message.descriptors().forEach(Fd::close);
        if (message.header().request() != request.id() || !message.header().isReply()) {
            throw new BackendException(
                    "%s was answered with %s".formatted(request, message.header()));
        }
        try {
            return shape.read(message.payload());
        } catch (MalformedMessageException e) {
            throw new BackendException(request + ": a malformed reply: " + e.getMessage(), e);
        }
    }

    private long requestU64(FrontendRequest request) throws IOException {
        return ((Payload.U64) request(request, Payload.EMPTY)).value();
    }

    /** Bits 0 to 63 of what the device offers, and vhost-user's own bit 30. */
    public long getFeatures() throws IOException {
        return requestU64(FrontendRequest.GET_FEATURES);
    }

    public void setFeatures(long features) throws IOException {
        request(FrontendRequest.SET_FEATURES, new Payload.U64(features));
    }

    public void setOwner() throws IOException {
        request(FrontendRequest.SET_OWNER, Payload.EMPTY);
    }

    public long getProtocolFeatures() throws IOException {
        return requestU64(FrontendRequest.GET_PROTOCOL_FEATURES);
    }

    public void setProtocolFeatures(long features) throws IOException {
        request(FrontendRequest.SET_PROTOCOL_FEATURES, new Payload.U64(features));
        protocolFeatures = features;
    }

    /** What was set last. */
    public long protocolFeatures() {
        return protocolFeatures;
    }

    public long getQueueNum() throws IOException {
        return requestU64(FrontendRequest.GET_QUEUE_NUM);
    }

    public long getMaxMemSlots() throws IOException {
        return requestU64(FrontendRequest.GET_MAX_MEM_SLOTS);
    }

    public void setMemTable(Payload.MemoryTable table, Fd... descriptors) throws IOException {
        request(FrontendRequest.SET_MEM_TABLE, table, descriptors);
    }

    public void addMemReg(RegionDescription region, Fd descriptor) throws IOException {
        request(FrontendRequest.ADD_MEM_REG, new Payload.SingleRegion(region), descriptor);
    }

    public void remMemReg(RegionDescription region) throws IOException {
        request(FrontendRequest.REM_MEM_REG, new Payload.SingleRegion(region));
    }

    public void setVringNum(int index, int size) throws IOException {
        request(FrontendRequest.SET_VRING_NUM, new Payload.VringState(index, size));
    }

    public void setVringBase(int index, int base) throws IOException {
        request(FrontendRequest.SET_VRING_BASE, new Payload.VringState(index, base));
    }

    /** Stops the vring, and returns where it stood. */
    public int getVringBase(int index) throws IOException {
        Payload reply = request(FrontendRequest.GET_VRING_BASE, new Payload.VringState(index, 0));
        return ((Payload.VringState) reply).num();
    }

    public void setVringAddr(Payload.VringAddress address) throws IOException {
        request(FrontendRequest.SET_VRING_ADDR, address);
    }

    /** {@code fd} may be null: the backend then polls. */
    public void setVringKick(int index, Fd fd) throws IOException {
        setVringFd(FrontendRequest.SET_VRING_KICK, index, fd);
    }

    /** {@code fd} may be null: this side then polls. */
    public void setVringCall(int index, Fd fd) throws IOException {
        setVringFd(FrontendRequest.SET_VRING_CALL, index, fd);
    }

    public void setVringErr(int index, Fd fd) throws IOException {
        setVringFd(FrontendRequest.SET_VRING_ERR, index, fd);
    }

    private void setVringFd(FrontendRequest request, int index, Fd fd) throws IOException {
        Payload payload = new VringDescriptor(index, fd != null).payload();
        if (fd == null) {
            request(request, payload);
        } else {
            request(request, payload, fd);
        }
    }

    public void setVringEnable(int index, boolean enabled) throws IOException {
        request(FrontendRequest.SET_VRING_ENABLE, new Payload.VringState(index, enabled ? 1 : 0));
    }

    public byte[] getConfig(int offset, int length) throws IOException {
        Payload reply =
                request(
                        FrontendRequest.GET_CONFIG,
                        new Payload.Config(offset, 0, new byte[length]));
        if (reply instanceof Payload.Config config && config.bytes().length == length) {
            return config.bytes();
        }
        throw new BackendException(
                "GET_CONFIG of %d bytes at %d was refused".formatted(length, offset));
    }

    public void setConfig(int offset, byte[] values) throws IOException {
        request(FrontendRequest.SET_CONFIG, new Payload.Config(offset, 0, values));
    }

    public void setBackendReqFd(Fd socket) throws IOException {
        request(FrontendRequest.SET_BACKEND_REQ_FD, Payload.EMPTY, socket);
    }

    public void resetDevice() throws IOException {
        request(FrontendRequest.RESET_DEVICE, Payload.EMPTY);
    }

    /** The device status (VIRTIO 1.3, 2.1). */
    public int getStatus() throws IOException {
        return (int) requestU64(FrontendRequest.GET_STATUS);
    }

    public void setStatus(int status) throws IOException {
        request(FrontendRequest.SET_STATUS, new Payload.U64(status));
    }

    @Override
    public void close() {
        channel.close();
    }
}
