package org.anyvirt.transports.vhostuser;

import static org.anyvirt.transports.vhostuser.message.FrontendRequest.*;
import static org.anyvirt.transports.vhostuser.message.ProtocolFeature.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.util.concurrent.TimeUnit;
import org.anyvirt.linux.EventFd;
import org.anyvirt.linux.UnixListener;
import org.anyvirt.linux.UnixSocket;
import org.anyvirt.transports.Await;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.ProtocolFeature;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;
import org.junit.jupiter.api.Test;

class SessionTest extends BackendFixture {
    @Test
    void offersWhatTheDeviceAndTheRingsAndTheProtocolHave() throws Exception {
        device.offered = Features.of(9, FeatureBits.VIRTIO_F_ACCESS_PLATFORM, 70);
        try (TestFrontend frontend = connect()) {
            Features offered = new Features(frontend.askInteger(GET_FEATURES), 0);
            assertThat(offered)
                    .isEqualTo(
                            Features.of(
                                    9,
                                    FeatureBits.VIRTIO_F_INDIRECT_DESC,
                                    FeatureBits.VIRTIO_F_EVENT_IDX,
                                    VHOST_USER_F_PROTOCOL_FEATURES,
                                    FeatureBits.VIRTIO_F_VERSION_1,
                                    FeatureBits.VIRTIO_F_RING_PACKED));
            assertThat(ProtocolFeature.describe(frontend.askInteger(GET_PROTOCOL_FEATURES)))
                    .isEqualTo(
                            "{MQ,REPLY_ACK,BACKEND_REQ,CONFIG,RESET_DEVICE,CONFIGURE_MEM_SLOTS,"
                                    + "STATUS}");
            assertThat(frontend.askInteger(GET_QUEUE_NUM)).isEqualTo(TestDevice.QUEUES);
        }
    }

    @Test
    void serveOneFrontendAfterTheOther() throws Exception {
        for (int i = 0; i < 20; i++) {
            try (TestFrontend frontend = negotiated();
                    TestRing ring = new TestRing()) {
                ring.setUp(frontend);
                frontend.done(SET_VRING_ENABLE, 0, 1);
                ring.exchange(i);
                assertThat(backend.state()).isEqualTo(BackendState.CONNECTED);
            }
            awaitState(BackendState.WAITING);
            assertThat(device.resets).hasValue(i + 1);
        }
    }

    @Test
    void aFrontendThatGoesWithRequestsInFlightIsFollowedByTheNext() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            device.hold = true;
            ring.offer(1);
            ring.notifyAvailable();
            Await.until("in flight", () -> device.held.get() == 1);
            frontend.socket.close();
            device.hold = false;
            ring.notifyAvailable();
            awaitState(BackendState.WAITING);
        }
        try (TestFrontend next = negotiated()) {
            assertThat(next.askInteger(GET_QUEUE_NUM)).isEqualTo(TestDevice.QUEUES);
        }
    }

    @Test
    void closingEndsTheSessionAndRemovesTheSocket() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            ring.exchange(1);
            backend.close();
            frontend.assertClosedByBackend();
        }
        assertThat(path).doesNotExist();
        assertThat(backend.state()).isEqualTo(BackendState.CLOSED);
        assertThat(backend.finished()).isCompleted();
        backend.close();
        assertThatThrownBy(backend::start).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void closingDoesNotWaitForTheRestOfAMessage() throws Exception {
        try (TestFrontend frontend = connect()) {
            frontend.sendRaw(new byte[] {1, 0, 0, 0, 1});
            awaitState(BackendState.CONNECTED);
            backend.close();
            frontend.assertClosedByBackend();
        }
    }

    @Test
    void closingDoesNotWaitForAFrontendThatReadsNoReplies() throws Exception {
        try (TestFrontend frontend = connect()) {
            frontend.socket.setTimeout(200);
            assertThatThrownBy(
                            () -> {
                                for (int i = 0; i < 1_000_000; i++) {
                                    frontend.tell(GET_FEATURES, Payload.EMPTY);
                                }
                            })
                    .hasMessageContaining("EAGAIN");
            backend.close();
        }
    }

    @Test
    void closingDoesNotWaitForAFrontendThatMakesNotificationsBlock() throws Throwable {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            ring.exchange(1);
            ring.awaitCall();
            HostileEventFd.fillAndBlock(ring.call);
            ring.offer(2);
            ring.notifyAvailable();
            assertThat(ring.takeUsed()).isEqualTo(~2L);
            backend.close();
            frontend.assertClosedByBackend();
        }
    }

    @Test
    void theSocketOfAnotherBackendIsNotTaken() throws Exception {
        try (VhostUserBackend second =
                new VhostUserBackend(
                        "second",
                        new TestDevice(),
                        new Endpoint.Listen(path, 0600),
                        BackendOptions.DEFAULT)) {
            assertThatThrownBy(second::start).hasMessageContaining("another process listens");
            assertThat(second.state()).isEqualTo(BackendState.NEW);
        }
        assertThat(Files.exists(path)).isTrue();
    }

    @Test
    void connectsToAFrontendThatListensAndAgainToTheNext() throws Exception {
        var where = directory.resolve("frontend.sock");
        TestDevice other = new TestDevice();
        try (VhostUserBackend connecting =
                new VhostUserBackend(
                        "connecting", other, new Endpoint.Connect(where), BackendOptions.DEFAULT)) {
            connecting.start();
            try (UnixListener listener = UnixListener.bind(where, 0600)) {
                for (int i = 0; i < 2; i++) {
                    try (TestFrontend frontend = new TestFrontend(listener.accept())) {
                        assertThat(frontend.negotiate(NO_STATUS).askInteger(GET_QUEUE_NUM))
                                .isEqualTo(TestDevice.QUEUES);
                    }
                }
            }
        }
    }

    @Test
    void servesTheSocketThatItWasStartedWith() throws Exception {
        UnixSocket[] pair = UnixSocket.pair();
        try (VhostUserBackend inherited =
                        new VhostUserBackend(
                                "inherited",
                                new TestDevice(),
                                new Endpoint.Inherited(pair[0].fd().release()),
                                BackendOptions.DEFAULT);
                TestFrontend frontend = new TestFrontend(pair[1])) {
            inherited.start();
            assertThat(frontend.negotiate(NO_STATUS).askInteger(GET_QUEUE_NUM))
                    .isEqualTo(TestDevice.QUEUES);
            frontend.socket.close();
            inherited.finished().get(10, TimeUnit.SECONDS);
            assertThat(inherited.state()).isEqualTo(BackendState.CLOSED);
        }
    }

    @Test
    void servesEachFrontendOfAListeningSocketThatItWasStartedWith() throws Exception {
        var where = directory.resolve("inherited.sock");
        UnixListener listener = UnixListener.bind(where, 0600);
        try (listener;
                VhostUserBackend inherited =
                        new VhostUserBackend(
                                "inherited",
                                new TestDevice(),
                                new Endpoint.Inherited(listener.fd().duplicate().release()),
                                BackendOptions.DEFAULT)) {
            inherited.start();
            for (int i = 0; i < 2; i++) {
                try (TestFrontend frontend = TestFrontend.connect(where)) {
                    assertThat(frontend.negotiate(NO_STATUS).askInteger(GET_QUEUE_NUM))
                            .isEqualTo(TestDevice.QUEUES);
                }
            }
        }
    }

    @Test
    void refusesToBeStartedWithADescriptorThatIsNoSocket() throws Exception {
        try (EventFd event = new EventFd();
                VhostUserBackend inherited =
                        new VhostUserBackend(
                                "inherited",
                                new TestDevice(),
                                new Endpoint.Inherited(event.fd().duplicate().release()),
                                BackendOptions.DEFAULT)) {
            assertThatThrownBy(inherited::start).hasMessageContaining("ENOTSOCK");
        }
    }

    @Test
    void resetDeviceStopsAndDisablesRingsAndKeepsMemory() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            ring.exchange(1);
            frontend.done(RESET_DEVICE, Payload.EMPTY);
            assertThat(device.resets).hasValue(1);
            assertThat(backend.counters()).containsOnlyNulls();
            assertThat(frontend.base(0)).isZero();
            frontend.done(SET_FEATURES, new Payload.U64(TestFrontend.FEATURES));
            frontend.done(SET_VRING_NUM, 0, TestRing.SIZE);
            frontend.done(SET_VRING_BASE, 0, 1);
            frontend.done(SET_VRING_ADDR, TestRing.address(0));
            frontend.descriptor(SET_VRING_KICK, 0, ring.kick.fd());
            frontend.done(SET_VRING_ENABLE, 0, 1);
            ring.exchange(2);
            ring.awaitCall();
        }
    }

    @Test
    void resetOwnerDisablesRings() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            ring.exchange(1);
            frontend.done(RESET_OWNER, Payload.EMPTY);
            assertThat(backend.counters()).containsOnlyNulls();
            frontend.done(SET_VRING_ENABLE, 0, 1);
            ring.exchange(2);
        }
    }
}
