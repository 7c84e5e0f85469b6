package org.anyvirt.transports.vhostuser;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.UnixSocket;
import org.anyvirt.transports.vhostuser.message.Header;
import org.anyvirt.transports.vhostuser.message.MalformedMessageException;
import org.anyvirt.transports.vhostuser.message.Payload;

/**
 * Messages over a socket.
 *
 * <p>Control plane. One thread sends and receives, and blocks meanwhile; {@link #shutdown} from
 * another ends that.
 */
final class Connection implements AutoCloseable {
    private final UnixSocket socket;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory = arena.allocate(Header.SIZE + Header.PAYLOAD_MAX, 8);
    private final ByteBuffer buffer = memory.asByteBuffer().order(ByteOrder.nativeOrder());
    private boolean closed;

    /**
     * @param socket is this connection's from now on
     */
    Connection(UnixSocket socket) {
        this.socket = socket;
    }

    /** For {@link org.anyvirt.linux.Poll}. */
    int number() {
        return socket.fd().number();
    }

    UnixSocket socket() {
        return socket;
    }

    /**
     * Waits for the next message.
     *
     * @return null when the peer has closed between two messages
     * @throws MalformedMessageException when where the message ends cannot be known, or descriptors
     *     came with another byte than its first
     */
    Incoming receive() throws IOException, MalformedMessageException {
        List<Fd> descriptors = new ArrayList<>();
        try {
            if (!receive(0, Header.SIZE, descriptors)) {
                return null;
            }
            Header header = Header.read(buffer.clear());
            if (header.size() > 0 && !receive(Header.SIZE, header.size(), descriptors)) {
                throw new EOFException("the peer closed after a message's header");
            }
            ByteBuffer payload =
                    buffer.slice(Header.SIZE, header.size()).order(ByteOrder.nativeOrder());
            return new Incoming(header, payload, descriptors);
        } catch (IOException | MalformedMessageException | RuntimeException e) {
            descriptors.forEach(Fd::close);
            throw e;
        }
    }

    /**
     * @return false when the peer has closed before the first byte
     */
    private boolean receive(int at, int length, List<Fd> descriptors)
            throws IOException, MalformedMessageException {
        int have = 0;
        while (have < length) {
            int before = descriptors.size();
            long got = socket.receive(memory, at + have, length - have, descriptors);
            if (got == 0) {
                if (have == 0) {
                    return false;
                }
                throw new EOFException(
                        "the peer closed after %d of %d bytes".formatted(have, length));
            }
            if (at + have > 0 && descriptors.size() > before) {
                throw new MalformedMessageException(
                        "%d descriptors with byte %d of a message: they come with the first"
                                .formatted(descriptors.size() - before, at + have));
            }
            have += (int) got;
        }
        return true;
    }

    /** Sends a message; the descriptors stay the caller's. */
    void send(Header header, Payload payload, int... descriptors) throws IOException {
        buffer.clear();
        header.write(buffer);
        payload.write(buffer);
        socket.send(memory, buffer.position(), descriptors);
    }

    /** Ends the connection for the thread that uses it; from any thread, at any time. */
    synchronized void shutdown() throws IOException {
        if (!closed) {
            socket.shutdown();
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            socket.close();
            arena.close();
        }
    }
}
