package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class UnixSocketTest {
    private final Arena arena = Arena.ofShared();
    private final MemorySegment bytes = arena.allocate(1 << 20, 8);
    private final List<Fd> received = new ArrayList<>();
    private UnixSocket left;
    private UnixSocket right;

    @BeforeEach
    void connect() throws Exception {
        UnixSocket[] pair = UnixSocket.pair();
        left = pair[0];
        right = pair[1];
    }

    @AfterEach
    void close() {
        received.forEach(Fd::close);
        left.close();
        right.close();
        arena.close();
    }

    @Test
    void aPassedDescriptorMapsTheSamePages() throws Exception {
        try (Fd memfd = Memfd.create("passed", 4096);
                Mapping here = Mapping.of(memfd, 0, 4096, true)) {
            bytes.set(JAVA_INT, 0, 0xcafe);
            assertThat(left.send(bytes, 4, memfd.number())).isEqualTo(4);
            assertThat(right.receive(bytes, 100, 100, received)).isEqualTo(4);
            assertThat(bytes.get(JAVA_INT, 100)).isEqualTo(0xcafe);
            assertThat(received).hasSize(1);
            try (Mapping there = Mapping.of(received.getFirst(), 0, 4096, true)) {
                here.memory().set(JAVA_LONG, 8, 77);
                assertThat(there.memory().get(JAVA_LONG, 8)).isEqualTo(77);
            }
        }
    }

    @Test
    void passesAsManyDescriptorsAsTheKernelDoes() throws Exception {
        try (Fd memfd = Memfd.create("many", 1)) {
            left.send(bytes, 1, repeated(memfd, UnixSocket.SCM_MAX_FD));
            right.receive(bytes, 0, 1, received);
            assertThat(received).hasSize(253).allMatch(Fd::isOpen);
            assertThat(OpenDescriptors.to("memfd:many")).isEqualTo(254);
            assertThatThrownBy(() -> left.send(bytes, 1, repeated(memfd, 254)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("254");
        }
    }

    @Test
    void descriptorsBeyondTheRoomForThemAreRefusedAndNoneIsLeft() throws Exception {
        try (Fd memfd = Memfd.create("truncated", 1)) {
            // Every room around the alignment of a control message, and none at all.
            for (int room = 0; room < 5; room++) {
                int fdsMax = room;
                left.send(bytes, 8, repeated(memfd, room + 1));
                assertThatThrownBy(() -> right.receive(bytes, 0, 8, received, fdsMax))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("more file descriptors came than the " + fdsMax);
                assertThat(received).isEmpty();
                assertThat(OpenDescriptors.to("memfd:truncated")).isEqualTo(1);

                left.send(bytes, 8, repeated(memfd, room));
                assertThat(right.receive(bytes, 0, 8, received, fdsMax)).isEqualTo(8);
                assertThat(received).hasSize(room);
                received.forEach(Fd::close);
                received.clear();
            }
        }
    }

    @Test
    void descriptorsComeWithTheFirstByteOnly() throws Exception {
        try (Fd memfd = Memfd.create("first", 1)) {
            left.send(bytes, 8, memfd.number());
            assertThat(right.receive(bytes, 0, 3, received)).isEqualTo(3);
            assertThat(received).hasSize(1);
            assertThat(right.receive(bytes, 3, 5, received)).isEqualTo(5);
            assertThat(received).hasSize(1);
        }
    }

    @Test
    void unreadDescriptorsGoWithTheSocket() throws Exception {
        try (Fd memfd = Memfd.create("unread", 1)) {
            left.send(bytes, 1, memfd.number());
            left.close();
            right.close();
            assertThat(OpenDescriptors.to("memfd:unread")).isEqualTo(1);
        }
    }

    @Test
    void sendsMoreThanTheSocketHoldsAtOnce() throws Exception {
        for (long i = 0; i < bytes.byteSize(); i += 8) {
            bytes.set(JAVA_LONG, i, i * 31);
        }
        MemorySegment copy = arena.allocate(bytes.byteSize(), 8);
        Thread sender = Thread.ofPlatform().start(() -> sendAll(bytes.byteSize()));
        for (long at = 0; at < copy.byteSize(); ) {
            at += right.receive(copy, at, copy.byteSize() - at, received);
        }
        sender.join();
        assertThat(copy.mismatch(bytes)).isEqualTo(-1);
    }

    @Test
    void aClosedPeerReadsAsZeroBytesAndTakesNone() throws Exception {
        right.close();
        assertThat(left.receive(bytes, 0, 8, received)).isZero();
        assertThatThrownBy(() -> left.send(bytes, 8)) // and no SIGPIPE
                .isInstanceOf(ErrnoException.class)
                .hasMessageStartingWith("sendmsg: EPIPE")
                .hasMessageContaining("0 of 8 bytes and 0 descriptors");
    }

    @Test
    void shutdownEndsAWaitingReceive() throws Exception {
        Thread closer = Thread.ofPlatform().start(() -> shutdown(right));
        assertThat(right.receive(bytes, 0, 8, received)).isZero();
        closer.join();
    }

    @Test
    void aTimeoutEndsReceiveAndSend() throws Exception {
        left.setTimeout(20);
        assertThatThrownBy(() -> left.receive(bytes, 0, 8, received))
                .isInstanceOf(ErrnoException.class)
                .hasMessageStartingWith("recvmsg: EAGAIN");
        assertThatThrownBy(() -> left.send(bytes, bytes.byteSize()))
                .isInstanceOf(ErrnoException.class)
                .hasMessageMatching("sendmsg: EAGAIN .*, [1-9]\\d* of 1048576 bytes .*");
    }

    @Test
    void tellsWhoThePeerIs() throws Exception {
        PeerCredentials peer = left.peer();
        assertThat(peer.pid()).isEqualTo((int) ProcessHandle.current().pid());
        assertThat(peer.uid()).isNotNegative();
        assertThat(peer.gid()).isNotNegative();
    }

    @Test
    void checksTheMemoryItIsGiven() {
        MemorySegment heap = MemorySegment.ofArray(new byte[8]);
        assertThatThrownBy(() -> left.send(heap, 8)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> left.send(bytes, bytes.byteSize() + 1))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> left.send(bytes, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> left.receive(bytes, bytes.byteSize() - 4, 8, received))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> left.receive(heap, 0, 8, received))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> left.receive(bytes, 0, 0, received))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(bytes.get(JAVA_BYTE, 0)).isZero();
    }

    private static int[] repeated(Fd fd, int times) {
        return IntStream.generate(fd::number).limit(times).toArray();
    }

    private void sendAll(long length) {
        try {
            left.send(bytes, length);
        } catch (ErrnoException failed) {
            throw new AssertionError(failed);
        }
    }

    private static void shutdown(UnixSocket socket) {
        try {
            socket.shutdown();
        } catch (ErrnoException failed) {
            throw new AssertionError(failed);
        }
    }
}
