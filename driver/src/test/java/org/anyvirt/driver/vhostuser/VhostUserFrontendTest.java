package org.anyvirt.driver.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.linux.EventFd;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.UnixSocket;
import org.anyvirt.transports.vhostuser.message.FrontendRequest;
import org.anyvirt.transports.vhostuser.message.Header;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.ProtocolFeature;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The other end of the socket is played by the test: replies lie ready before the request. */
@Timeout(20)
class VhostUserFrontendTest {
    private static final long REPLY_ACK =
            ProtocolFeature.setOf(ProtocolFeature.VHOST_USER_PROTOCOL_F_REPLY_ACK);

    private VhostUserFrontend frontend;
    private MessageChannel backend;

    @BeforeEach
    void connect() throws Exception {
        UnixSocket[] pair = UnixSocket.pair();
        frontend = new VhostUserFrontend(pair[0]);
        backend = new MessageChannel(pair[1]);
    }

    @AfterEach
    void close() {
        frontend.close();
        backend.close();
    }

    private void willReply(FrontendRequest request, Payload payload) throws Exception {
        backend.send(Header.reply(request.id(), payload), payload);
    }

    private Payload sent(FrontendRequest request, boolean needsReply) throws Exception {
        MessageChannel.Message message = backend.receive();
        assertThat(message.header().request()).isEqualTo(request.id());
        assertThat(message.header().needsReply()).isEqualTo(needsReply);
        message.descriptors().forEach(Fd::close);
        return request.payload().read(message.payload());
    }

    @Test
    void asksAndIsAnswered() throws Exception {
        willReply(FrontendRequest.GET_FEATURES, new Payload.U64(0x1234_0000_0000L));
        assertThat(frontend.getFeatures()).isEqualTo(0x1234_0000_0000L);
        assertThat(sent(FrontendRequest.GET_FEATURES, false)).isEqualTo(Payload.EMPTY);
    }

    @Test
    void waitsForAcknowledgementsOnceNegotiated() throws Exception {
        frontend.setVringNum(0, 256);
        frontend.setProtocolFeatures(REPLY_ACK);
        willReply(FrontendRequest.SET_VRING_NUM, new Payload.U64(0));
        frontend.setVringNum(3, 128);
        assertThat(sent(FrontendRequest.SET_VRING_NUM, false))
                .isEqualTo(new Payload.VringState(0, 256));
        assertThat(sent(FrontendRequest.SET_PROTOCOL_FEATURES, false))
                .isEqualTo(new Payload.U64(REPLY_ACK));
        assertThat(sent(FrontendRequest.SET_VRING_NUM, true))
                .isEqualTo(new Payload.VringState(3, 128));
        willReply(FrontendRequest.SET_VRING_NUM, new Payload.U64(1));
        assertThatThrownBy(() -> frontend.setVringNum(3, 77))
                .isInstanceOf(BackendException.class)
                .hasMessage("SET_VRING_NUM was refused: 1");
    }

    @Test
    void sendsDescriptorsAlong() throws Exception {
        try (EventFd kick = new EventFd()) {
            frontend.setVringKick(2, kick.fd());
            frontend.setVringKick(3, null);
            MessageChannel.Message with = backend.receive();
            assertThat(with.payload().getLong(0)).isEqualTo(2);
            assertThat(with.descriptors()).hasSize(1);
            EventFd.signal(with.descriptors().getFirst().number());
            assertThat(kick.drain()).isOne();
            with.descriptors().getFirst().close();
            MessageChannel.Message without = backend.receive();
            assertThat(without.payload().getLong(0)).isEqualTo(0x103);
            assertThat(without.descriptors()).isEmpty();
        }
    }

    @Test
    void describesItsMemory() throws Exception {
        try (GuestMemory memory = GuestMemory.ofSize(1 << 20)) {
            frontend.setMemTable(
                    new Payload.MemoryTable(
                            memory.regions().stream().map(VhostUserDevice::message).toList()),
                    memory.regions().stream().map(GuestMemory.Region::fd).toArray(Fd[]::new));
            MessageChannel.Message message = backend.receive();
            assertThat(message.descriptors()).hasSize(2);
            message.descriptors().forEach(Fd::close);
            Payload.MemoryTable table =
                    (Payload.MemoryTable)
                            FrontendRequest.SET_MEM_TABLE.payload().read(message.payload());
            assertThat(table.regions().get(1).guestAddress()).isEqualTo(1L << 32);
            assertThat(table.regions().get(1).mmapOffset()).isPositive();
        }
    }

    @Test
    void refusesAnswersToSomethingElse() throws Exception {
        willReply(FrontendRequest.GET_QUEUE_NUM, new Payload.U64(1));
        assertThatThrownBy(() -> frontend.getFeatures())
                .isInstanceOf(BackendException.class)
                .hasMessageContaining("GET_FEATURES was answered with");
    }

    @Test
    void refusesMalformedAnswers() throws Exception {
        willReply(FrontendRequest.GET_FEATURES, new Payload.VringAddress(0, 0, 0, 0, 0, 0));
        assertThatThrownBy(() -> frontend.getFeatures())
                .hasMessageContaining("GET_FEATURES: a malformed reply");
        backend.send(new byte[Header.SIZE]);
        assertThatThrownBy(() -> frontend.getFeatures()).hasMessageContaining("no message");
    }

    @Test
    void saysThatConfigurationWasRefused() throws Exception {
        willReply(FrontendRequest.GET_CONFIG, Payload.EMPTY);
        assertThatThrownBy(() -> frontend.getConfig(0, 60))
                .hasMessage("GET_CONFIG of 60 bytes at 0 was refused");
    }

    @Test
    void noticesABackendThatCloses() throws Exception {
        ByteBuffer half = ByteBuffer.allocate(Header.SIZE).order(ByteOrder.nativeOrder());
        Header.reply(1, new Payload.U64(0)).write(half);
        backend.send(half.array());
        backend.socket().shutdown();
        assertThatThrownBy(() -> frontend.channel().receive())
                .isInstanceOf(BackendException.class)
                .hasMessageContaining("in the middle of a message");
        assertThat(frontend.channel().receive()).isNull();
    }

    @Test
    void sendsAnyBytes() throws Exception {
        try (EventFd some = new EventFd()) {
            frontend.channel().send(new byte[] {1, 2, 3}, some.fd(), some.fd());
        }
        frontend.close();
        assertThatThrownBy(() -> backend.receive()).hasMessageContaining("in the middle");
    }
}
