package org.anyvirt.transports.vhostuser;

import static org.anyvirt.transports.vhostuser.message.FrontendRequest.*;
import static org.anyvirt.transports.vhostuser.message.ProtocolFeature.VHOST_USER_F_PROTOCOL_FEATURES;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.anyvirt.linux.Errno;
import org.anyvirt.linux.ErrnoException;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.UnixSocket;
import org.anyvirt.transports.vhostuser.message.FrontendRequest;
import org.anyvirt.transports.vhostuser.message.Header;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.Payload.VringState;
import org.anyvirt.transports.vhostuser.message.Request;
import org.anyvirt.transports.vhostuser.message.Shape;
import org.anyvirt.transports.vhostuser.message.VringDescriptor;
import org.anyvirt.virtio.spec.FeatureBits;

/** The least of a frontend: sends what a test says, and reads replies. */
final class TestFrontend implements AutoCloseable {
    static final long FEATURES =
            1L << VHOST_USER_F_PROTOCOL_FEATURES | 1L << FeatureBits.VIRTIO_F_VERSION_1;

    private static final int TIMEOUT_MILLIS = 10_000;

    final UnixSocket socket;
    private final Arena arena = Arena.ofAuto();
    private final MemorySegment out = arena.allocate(8192, 8);
    private final MemorySegment in = arena.allocate(8192, 8);

    TestFrontend(UnixSocket socket) throws IOException {
        this.socket = socket;
        socket.setTimeout(TIMEOUT_MILLIS);
    }

    static TestFrontend connect(Path path) throws IOException {
        return new TestFrontend(UnixSocket.connect(path));
    }

    /** The features that every test needs, and those protocol features. */
    TestFrontend negotiate(long protocolFeatures) throws Exception {
        tell(SET_PROTOCOL_FEATURES, new Payload.U64(protocolFeatures));
        tell(SET_OWNER, Payload.EMPTY);
        tell(SET_FEATURES, new Payload.U64(FEATURES));
        return this;
    }

    void tell(Request request, Payload payload, int... fds) throws IOException {
        send(Header.request(request, false, payload), payload, fds);
    }

    /** A request with a reply of its own. */
    Payload ask(FrontendRequest request, Payload payload) throws Exception {
        tell(request, payload);
        return reply(request, request.reply());
    }

    long askInteger(FrontendRequest request) throws Exception {
        return ((Payload.U64) ask(request, Payload.EMPTY)).value();
    }

    /** Sends with need_reply: 0 when it was done. */
    long request(Request request, Payload payload, int... fds) throws Exception {
        send(Header.request(request, true, payload), payload, fds);
        return ((Payload.U64) reply(request, Shape.U64)).value();
    }

    /** Sends with need_reply, and expects it to be done. */
    void done(FrontendRequest request, Payload payload, int... fds) throws Exception {
        assertThat(request(request, payload, fds)).as("%s %s", request, payload).isZero();
    }

    void done(FrontendRequest request, int index, int num) throws Exception {
        done(request, new VringState(index, num));
    }

    /** SET_VRING_KICK and the like; null for none. */
    void descriptor(FrontendRequest request, int index, Fd fd) throws Exception {
        Payload payload = new VringDescriptor(index, fd != null).payload();
        if (fd == null) {
            done(request, payload);
        } else {
            done(request, payload, fd.number());
        }
    }

    int base(int index) throws Exception {
        return ((VringState) ask(GET_VRING_BASE, new VringState(index, 0))).num();
    }

    void send(Header header, Payload payload, int... fds) throws IOException {
        ByteBuffer buffer = out.asByteBuffer().order(ByteOrder.nativeOrder());
        header.write(buffer);
        payload.write(buffer);
        socket.send(out, buffer.position(), fds);
    }

    void sendRaw(byte[] bytes, int... fds) throws IOException {
        MemorySegment.copy(bytes, 0, out, ValueLayout.JAVA_BYTE, 0, bytes.length);
        socket.send(out, bytes.length, fds);
    }

    Payload reply(Request request, Shape shape) throws Exception {
        List<Fd> fds = new ArrayList<>();
        ByteBuffer buffer = in.asByteBuffer().order(ByteOrder.nativeOrder());
        receive(0, Header.SIZE, fds);
        Header header = Header.read(buffer);
        assertThat(header.isReply()).isTrue();
        assertThat(header.request()).isEqualTo(request.id());
        receive(Header.SIZE, header.size(), fds);
        assertThat(fds).isEmpty();
        return shape.read(buffer.slice(Header.SIZE, header.size()).order(ByteOrder.nativeOrder()));
    }

    /** A request of the backend. */
    Header receiveHeader() throws Exception {
        receive(0, Header.SIZE, new ArrayList<>());
        return Header.read(in.asByteBuffer().order(ByteOrder.nativeOrder()));
    }

    /** The payload after a header that was received by itself. */
    long receiveInteger() throws Exception {
        receive(0, 8, new ArrayList<>());
        return in.get(ValueLayout.JAVA_LONG, 0);
    }

    private void receive(long at, long length, List<Fd> fds) throws IOException {
        for (long have = 0; have < length; ) {
            long got = socket.receive(in, at + have, length - have, fds);
            if (got == 0) {
                throw new IOException("the backend has closed");
            }
            have += got;
        }
    }

    /** Waits until the backend has closed the connection. */
    void assertClosedByBackend() throws IOException {
        try {
            assertThat(socket.receive(in, 0, 64, new ArrayList<>())).isZero();
        } catch (ErrnoException e) {
            // It closed with something of ours unread.
            assertThat(e.errno()).isEqualTo(Errno.ECONNRESET);
        }
    }

    @Override
    public void close() {
        socket.close();
    }
}
