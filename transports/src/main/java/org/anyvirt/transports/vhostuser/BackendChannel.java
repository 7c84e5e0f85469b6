package org.anyvirt.transports.vhostuser;

import java.io.EOFException;
import java.io.IOException;
import org.anyvirt.linux.UnixSocket;
import org.anyvirt.transports.vhostuser.message.BackendRequest;
import org.anyvirt.transports.vhostuser.message.Header;
import org.anyvirt.transports.vhostuser.message.MalformedMessageException;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.Shape;

/**
 * The other direction: what the backend asks of the frontend, on a socket of its own.
 *
 * <p>Control plane, one thread. When replies are negotiated there is one request outstanding at
 * most, and its reply is not waited for: the frontend may be waiting for one of ours meanwhile.
 */
final class BackendChannel implements AutoCloseable {
    /** A frontend that does not read is given up after this long. */
    private static final int SEND_TIMEOUT_MILLIS = 1000;

    private final Connection connection;
    private boolean awaitingReply;

    /**
     * @param socket is this channel's from now on
     */
    BackendChannel(UnixSocket socket) throws IOException {
        connection = new Connection(socket);
        try {
            socket.setTimeout(SEND_TIMEOUT_MILLIS);
        } catch (IOException e) {
            close();
            throw e;
        }
    }

    /** For {@link org.anyvirt.linux.Poll}: readable when {@link #receive} has something. */
    int number() {
        return connection.number();
    }

    boolean isReady() {
        return !awaitingReply;
    }

    /** The configuration space has changed. */
    void configChanged(boolean needReply) throws IOException {
        connection.send(
                Header.request(BackendRequest.CONFIG_CHANGE_MSG, needReply, Payload.EMPTY),
                Payload.EMPTY);
        awaitingReply = needReply;
    }

    /**
     * Takes the frontend's answer.
     *
     * @return 0 for success
     * @throws EOFException when the frontend has closed the channel, as before it goes
     */
    long receive() throws IOException, MalformedMessageException {
        try (Incoming reply = connection.receive()) {
            if (reply == null) {
                throw new EOFException("the frontend closed it");
            }
            Header header = reply.header();
            if (!awaitingReply
                    || !header.isReply()
                    || header.request() != BackendRequest.CONFIG_CHANGE_MSG.id()
                    || reply.descriptorCount() != 0) {
                throw new MalformedMessageException(
                        "%s is no reply to CONFIG_CHANGE_MSG".formatted(header));
            }
            awaitingReply = false;
            return ((Payload.U64) Shape.U64.read(reply.payload())).value();
        }
    }

    @Override
    public void close() {
        connection.close();
    }
}
