package org.anyvirt.driver.vhostuser;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicInteger;
import org.anyvirt.transports.vhostuser.message.BackendRequest;
import org.anyvirt.transports.vhostuser.message.Header;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class BackendChannelTest {
    private final AtomicInteger changes = new AtomicInteger();

    private static long answer(MessageChannel backend, BackendRequest request, Payload payload)
            throws Exception {
        backend.send(Header.request(request, true, payload), payload);
        MessageChannel.Message reply = backend.receive();
        assertThat(reply.header().request()).isEqualTo(request.id());
        assertThat(reply.header().isReply()).isTrue();
        return reply.payload().getLong(0);
    }

    @Test
    void tellsOfConfigurationChanges() throws Exception {
        try (BackendChannel channel = new BackendChannel(changes::incrementAndGet)) {
            MessageChannel backend = new MessageChannel(channel.backendEnd());
            for (int i = 1; i <= 3; i++) {
                assertThat(answer(backend, BackendRequest.CONFIG_CHANGE_MSG, Payload.EMPTY))
                        .isZero();
                assertThat(changes.get()).isEqualTo(i);
            }
        }
    }

    @Test
    void refusesWhatItCannotDo() throws Exception {
        try (BackendChannel channel = new BackendChannel(changes::incrementAndGet)) {
            MessageChannel backend = new MessageChannel(channel.backendEnd());
            Payload miss = new Payload.Iotlb(1, 2, 3, (byte) 1, (byte) 1);
            assertThat(answer(backend, BackendRequest.IOTLB_MSG, miss)).isOne();
            assertThat(changes.get()).isZero();
        }
    }

    @Test
    void endsWithItsPeer() throws Exception {
        try (BackendChannel channel = new BackendChannel(changes::incrementAndGet)) {
            channel.backendEnd().close();
        }
        assertThat(changes.get()).isZero();
    }
}
