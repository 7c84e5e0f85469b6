package org.anyvirt.transports.vhostuser;

import static org.anyvirt.transports.vhostuser.message.FrontendRequest.*;
import static org.anyvirt.transports.vhostuser.message.ProtocolFeature.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.anyvirt.linux.ErrnoException;
import org.anyvirt.linux.UnixSocket;
import org.anyvirt.transports.Await;
import org.anyvirt.transports.vhostuser.message.BackendRequest;
import org.anyvirt.transports.vhostuser.message.Header;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.Payload.Config;
import org.anyvirt.transports.vhostuser.message.Payload.U64;
import org.anyvirt.transports.vhostuser.message.ProtocolFeature;
import org.anyvirt.virtio.spec.DeviceStatus;
import org.junit.jupiter.api.Test;

class ConfigAndStatusTest extends BackendFixture {
    @Test
    void readsTheConfigurationAndZerosBeyond() throws Exception {
        try (TestFrontend frontend = negotiated()) {
            assertThat(frontend.ask(GET_CONFIG, new Config(2, 0, new byte[10])))
                    .isEqualTo(new Config(2, 0, new byte[] {3, 4, 5, 6, 7, 8, 0, 0, 0, 0}));
            assertThat(frontend.ask(GET_CONFIG, new Config(0, 1, new byte[256])))
                    .isInstanceOf(Config.class);
        }
    }

    @Test
    void failsToReadConfigurationThatNoDeviceHasWithAnEmptyReply() throws Exception {
        try (TestFrontend frontend = negotiated()) {
            for (Config wanted :
                    new Config[] {
                        new Config(256, 0, new byte[1]),
                        new Config(1, 0, new byte[256]),
                        new Config(-1, 0, new byte[8]),
                        new Config(Integer.MAX_VALUE, 0, new byte[8]),
                        new Config(0, 0, new byte[0])
                    }) {
                assertThat(frontend.ask(GET_CONFIG, wanted)).isEqualTo(Payload.EMPTY);
            }
            assertThat(frontend.ask(GET_CONFIG, Payload.EMPTY)).isEqualTo(Payload.EMPTY);
        }
    }

    @Test
    void writesWhatTheDriverMayWrite() throws Exception {
        try (TestFrontend frontend = negotiated()) {
            frontend.done(SET_CONFIG, new Config(7, 0, new byte[] {42}));
            assertThat(device.config.read(7, 1)).containsExactly(42);
            for (Config refused :
                    new Config[] {
                        new Config(6, 0, new byte[] {1, 1}),
                        new Config(0, 0, new byte[] {1}),
                        new Config(7, 1, new byte[] {1}),
                        new Config(8, 0, new byte[] {1}),
                        new Config(-1, 0, new byte[] {1}),
                        new Config(Integer.MAX_VALUE, 0, new byte[] {1})
                    }) {
                assertThat(frontend.request(SET_CONFIG, refused)).isOne();
            }
            assertThat(device.config.read(0, 8)).containsExactly(1, 2, 3, 4, 5, 6, 7, 42);
        }
    }

    @Test
    void tellsOfAChangeAndOfTheNextOnlyWhenThatWasAnswered() throws Exception {
        UnixSocket[] pair = UnixSocket.pair();
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing();
                UnixSocket theirs = pair[0];
                TestFrontend channel = new TestFrontend(pair[1])) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            frontend.done(SET_BACKEND_REQ_FD, Payload.EMPTY, theirs.fd().number());
            for (int i = 0; i < 5; i++) {
                device.config.update(0, new byte[] {(byte) i});
                assertThat(channel.receiveHeader())
                        .isEqualTo(
                                Header.request(
                                        BackendRequest.CONFIG_CHANGE_MSG, true, Payload.EMPTY));
                device.config.update(0, new byte[] {99}); // while the answer is outstanding
                device.config.update(0, new byte[] {100});
                answer(channel, i);
                assertThat(channel.receiveHeader().needsReply()).isTrue();
                answer(channel, 0);
            }
            assertNothingComes(frontend, channel);
        }
    }

    @Test
    void asksForNoAnswerWithoutReplies() throws Exception {
        long features =
                ProtocolFeature.setOf(
                        VHOST_USER_PROTOCOL_F_BACKEND_REQ, VHOST_USER_PROTOCOL_F_CONFIG);
        UnixSocket[] pair = UnixSocket.pair();
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing();
                UnixSocket theirs = pair[0];
                TestFrontend channel = new TestFrontend(pair[1])) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            frontend.done(SET_BACKEND_REQ_FD, Payload.EMPTY, theirs.fd().number());
            frontend.tell(SET_PROTOCOL_FEATURES, new U64(features));
            frontend.askInteger(GET_FEATURES);
            device.config.update(0, new byte[] {9});
            assertThat(channel.receiveHeader().needsReply()).isFalse();
        }
    }

    @Test
    void aSuspendedDeviceTellsOfChangesWhenItServesAgain() throws Exception {
        UnixSocket[] pair = UnixSocket.pair();
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing();
                UnixSocket theirs = pair[0];
                TestFrontend channel = new TestFrontend(pair[1])) {
            frontend.done(SET_BACKEND_REQ_FD, Payload.EMPTY, theirs.fd().number());
            device.config.update(0, new byte[] {9});
            assertNothingComes(frontend, channel);
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            assertThat(channel.receiveHeader().request())
                    .isEqualTo(BackendRequest.CONFIG_CHANGE_MSG.id());
        }
    }

    @Test
    void aChannelThatBreaksIsGivenUpAndNothingElse() throws Exception {
        UnixSocket[] pair = UnixSocket.pair();
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing();
                UnixSocket theirs = pair[0];
                TestFrontend channel = new TestFrontend(pair[1])) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            frontend.done(SET_BACKEND_REQ_FD, Payload.EMPTY, theirs.fd().number());
            theirs.fd().close();
            channel.sendRaw(new byte[40]); // answers what nobody asked
            channel.assertClosedByBackend();
            ring.exchange(1);
            device.config.update(0, new byte[] {9});
            // Any descriptor is taken; that it is no socket shows when it is used.
            frontend.done(SET_BACKEND_REQ_FD, Payload.EMPTY, pair[1].fd().number());
            frontend.askInteger(GET_FEATURES);
            ring.exchange(2);
        }
    }

    @Test
    void withAStatusQueuesWaitForDriverOk() throws Exception {
        try (TestFrontend frontend = connect().negotiate(ALL);
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            frontend.done(SET_STATUS, new U64(DeviceStatus.FEATURES_OK)); // as QEMU does it
            assertThat(device.starts).isEmpty();
            int ready =
                    DeviceStatus.ACKNOWLEDGE
                            | DeviceStatus.DRIVER
                            | DeviceStatus.FEATURES_OK
                            | DeviceStatus.DRIVER_OK;
            frontend.done(SET_STATUS, new U64(ready));
            assertThat(frontend.askInteger(GET_STATUS)).isEqualTo(ready);
            ring.exchange(1);
            assertThat(frontend.request(SET_STATUS, new U64(DeviceStatus.ACKNOWLEDGE))).isOne();
            assertThat(frontend.request(SET_STATUS, new U64(ready | 0x20))).isOne();
            assertThat(frontend.request(SET_STATUS, new U64(0x100L | ready))).isOne();
            frontend.done(SET_STATUS, new U64(0));
            assertThat(frontend.askInteger(GET_STATUS)).isZero();
            assertThat(backend.counters()).containsOnlyNulls();
            assertThat(device.resets).hasValue(0);
        }
    }

    @Test
    void aBrokenQueueNeedsAResetAndTheDriverIsTold() throws Exception {
        UnixSocket[] pair = UnixSocket.pair();
        try (TestFrontend frontend = connect().negotiate(ALL);
                TestRing ring = new TestRing();
                UnixSocket theirs = pair[0];
                TestFrontend channel = new TestFrontend(pair[1])) {
            ring.setUp(frontend);
            frontend.done(SET_BACKEND_REQ_FD, Payload.EMPTY, theirs.fd().number());
            frontend.done(SET_VRING_ENABLE, 0, 1);
            frontend.done(SET_STATUS, new U64(15));
            ring.exchange(1);
            ring.offerNonsense();
            ring.notifyAvailable();
            Await.until(
                    "needs reset",
                    () ->
                            frontend.askInteger(GET_STATUS)
                                    == (15 | DeviceStatus.DEVICE_NEEDS_RESET));
            assertThat(channel.receiveHeader().request())
                    .isEqualTo(BackendRequest.CONFIG_CHANGE_MSG.id());
            frontend.done(SET_STATUS, new U64(15)); // looked before
            frontend.done(SET_STATUS, new U64(0));
            assertThat(frontend.askInteger(GET_STATUS)).isZero();
        }
    }

    private static void answer(TestFrontend channel, long result) throws Exception {
        Payload payload = new U64(result);
        channel.send(Header.reply(BackendRequest.CONFIG_CHANGE_MSG.id(), payload), payload);
    }

    private static void assertNothingComes(TestFrontend frontend, TestFrontend channel)
            throws Exception {
        frontend.askInteger(GET_FEATURES); // whatever was to be sent has been
        frontend.askInteger(GET_FEATURES);
        channel.socket.setTimeout(50);
        assertThatThrownBy(channel::receiveHeader)
                .isInstanceOf(ErrnoException.class)
                .hasMessageContaining("EAGAIN");
        channel.socket.setTimeout(10_000);
    }
}
