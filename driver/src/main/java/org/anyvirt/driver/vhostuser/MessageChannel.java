package org.anyvirt.driver.vhostuser;

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
 * Whole vhost-user messages over a socket, or any bytes at all. Control plane; one thread sends,
 * one receives.
 */
public final class MessageChannel implements AutoCloseable {
    private final UnixSocket socket;

    /**
     * A message as it came.
     *
     * @param payload in the machine's byte order, from position 0
     * @param descriptors the receiver's to close
     */
    public record Message(Header header, ByteBuffer payload, List<Fd> descriptors) {}

    MessageChannel(UnixSocket socket) {
        this.socket = socket;
    }

    public UnixSocket socket() {
        return socket;
    }

    /** Sends a message; the descriptors stay the caller's. */
    public void send(Header header, Payload payload, Fd... descriptors) throws IOException {
        ByteBuffer bytes =
                ByteBuffer.allocate(Header.SIZE + payload.encodedSize())
                        .order(ByteOrder.nativeOrder());
        header.write(bytes);
        payload.write(bytes);
        send(bytes.array(), descriptors);
    }

    /** Sends any bytes, whole messages or not. */
    public void send(byte[] bytes, Fd... descriptors) throws IOException {
        int[] numbers = new int[descriptors.length];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = descriptors[i].number();
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(bytes.length);
            memory.copyFrom(MemorySegment.ofArray(bytes));
            socket.send(memory, bytes.length, numbers);
        }
    }

    /**
     * Waits for the next message.
     *
     * @return null when the peer has closed between messages
     * @throws BackendException when what comes is no message
     */
    public Message receive() throws IOException {
        List<Fd> descriptors = new ArrayList<>();
        try {
            ByteBuffer first = receive(Header.SIZE, descriptors);
            if (first == null) {
                return null;
            }
            Header header = Header.read(first);
            ByteBuffer payload = receive(header.size(), descriptors);
            if (payload == null) {
                throw new BackendException("the peer closed in the middle of a message");
            }
            return new Message(header, payload, descriptors);
        } catch (MalformedMessageException e) {
            descriptors.forEach(Fd::close);
            throw new BackendException("no message: " + e.getMessage(), e);
        } catch (IOException | RuntimeException e) {
            descriptors.forEach(Fd::close);
            throw e;
        }
    }

    /** Exactly so many bytes, or null when the peer has closed before the first. */
    private ByteBuffer receive(int length, List<Fd> descriptors) throws IOException {
        byte[] bytes = new byte[length];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(Math.max(length, 1));
            for (long at = 0; at < length; ) {
                long received = socket.receive(memory, at, length - at, descriptors);
                if (received == 0) {
                    if (at == 0) {
                        return null;
                    }
                    throw new BackendException("the peer closed in the middle of a message");
                }
                at += received;
            }
            MemorySegment.copy(memory, 0, MemorySegment.ofArray(bytes), 0, length);
        }
        return ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
    }

    @Override
    public void close() {
        socket.close();
    }
}
