package org.anyvirt.transports.vhostuser;

import static org.anyvirt.transports.vhostuser.message.FrontendRequest.*;
import static org.anyvirt.transports.vhostuser.message.ProtocolFeature.VHOST_USER_F_PROTOCOL_FEATURES;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.anyvirt.linux.EventFd;
import org.anyvirt.transports.Await;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.virtio.spec.FeatureBits;
import org.junit.jupiter.api.Test;

class VringStatesTest extends BackendFixture {
    @Test
    void servesARingThatIsStartedAndEnabled() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            for (int i = 0; i < 100; i++) {
                ring.exchange(i);
                ring.awaitCall();
            }
            assertThat(device.starts).containsExactly(0);
            assertThat(frontend.base(0)).isEqualTo(100);
        }
    }

    @Test
    void whatWasOfferedBeforeTheKickDescriptorCameIsServedWithoutAKick() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.offer(7);
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            assertThat(ring.takeUsed()).isEqualTo(~7L);
        }
    }

    @Test
    void messagesMayComeInAnyOrder() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.notifyAvailable();
            frontend.descriptor(SET_VRING_KICK, 0, ring.kick.fd());
            frontend.done(SET_VRING_ENABLE, 0, 1);
            frontend.done(SET_VRING_ADDR, TestRing.address(0));
            frontend.done(SET_MEM_TABLE, TestRing.memoryTable(), ring.file.number());
            frontend.done(SET_VRING_BASE, 0, 0);
            assertThat(device.starts).isEmpty();
            frontend.done(SET_VRING_NUM, 0, TestRing.SIZE);
            assertThat(device.starts).containsExactly(0);
            ring.exchange(1);
        }
    }

    @Test
    void aDisabledRingWaitsAndAnEnabledOneGoesOn() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            ring.offer(1);
            ring.notifyAvailable();
            assertThat(device.starts).isEmpty();
            frontend.done(SET_VRING_ENABLE, 0, 1);
            assertThat(ring.takeUsed()).isEqualTo(~1L);
            frontend.done(SET_VRING_ENABLE, 0, 0);
            ring.offer(2);
            ring.notifyAvailable();
            assertThat(frontend.askInteger(GET_FEATURES)).isNotZero();
            assertThat(ring.hasUsed()).isFalse();
            frontend.done(SET_VRING_ENABLE, 0, 1);
            assertThat(ring.takeUsed()).isEqualTo(~2L);
        }
    }

    @Test
    void aStoppedRingTellsWhereItIsAndGoesOnWithTheNextKickDescriptor() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            ring.exchange(1);
            ring.exchange(2);
            assertThat(frontend.base(0)).isEqualTo(2);
            ring.offer(3);
            ring.notifyAvailable();
            assertThat(frontend.base(0)).isEqualTo(2);
            assertThat(ring.hasUsed()).isFalse();
            frontend.descriptor(SET_VRING_KICK, 0, ring.kick.fd());
            assertThat(ring.takeUsed()).isEqualTo(~3L);
            ring.exchange(4);
        }
    }

    @Test
    void aRingThatWasNeverStartedTellsItsBase() throws Exception {
        try (TestFrontend frontend = negotiated()) {
            assertThat(frontend.base(1)).isZero();
            frontend.done(SET_VRING_BASE, 1, 0x1234);
            assertThat(frontend.base(1)).isEqualTo(0x1234);
        }
    }

    @Test
    void stoppingWaitsForWhatIsInFlight() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            device.hold = true;
            ring.offer(1);
            ring.notifyAvailable();
            Await.until("in flight", () -> device.held.get() == 1);
            CompletableFuture<Integer> base =
                    CompletableFuture.supplyAsync(() -> {
                        try {
                            return frontend.base(0);
                        } catch (Exception e) {
                            throw new AssertionError(e);
                        }
                    });
            assertThat(base).isNotDone();
            device.hold = false;
            ring.notifyAvailable();
            assertThat(base.get(10, TimeUnit.SECONDS)).isEqualTo(1);
            assertThat(ring.takeUsed()).isEqualTo(~1L);
        }
    }

    @Test
    void withoutProtocolFeaturesRingsAreEnabledAtOnce() throws Exception {
        try (TestFrontend frontend = connect();
                TestRing ring = new TestRing()) {
            frontend.tell(
                    SET_PROTOCOL_FEATURES, new Payload.U64(REPLY_ACK)); // replies pace the test
            ring.setUp(frontend);
            assertThat(device.starts).isEmpty();
            frontend.done(SET_FEATURES, new Payload.U64(1L << FeatureBits.VIRTIO_F_VERSION_1));
            assertThat(device.starts).containsExactly(0);
            ring.exchange(1);
        }
    }

    @Test
    void aRingWithoutKickDescriptorIsPolled() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.descriptor(SET_VRING_KICK, 0, null);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            for (int i = 0; i < 10; i++) {
                ring.offer(i);
                assertThat(ring.takeUsed()).isEqualTo(~(long) i);
            }
            frontend.descriptor(SET_VRING_KICK, 0, ring.kick.fd());
            ring.exchange(11);
            frontend.descriptor(SET_VRING_KICK, 0, null);
            ring.offer(12);
            assertThat(ring.takeUsed()).isEqualTo(~12L);
        }
    }

    @Test
    void aDriverThatPollsHasNoCallDescriptor() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.descriptor(SET_VRING_CALL, 0, null);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            ring.exchange(1);
            assertThat(ring.call.drain()).isZero();
        }
    }

    @Test
    void descriptorsChangeOnALiveRing() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing();
                EventFd kick = new EventFd();
                EventFd call = new EventFd();
                EventFd error = new EventFd()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            ring.exchange(1);
            for (int i = 0; i < 50; i++) {
                boolean odd = i % 2 == 1;
                frontend.descriptor(SET_VRING_KICK, 0, (odd ? ring.kick : kick).fd());
                frontend.descriptor(SET_VRING_CALL, 0, (odd ? ring.call : call).fd());
                frontend.descriptor(SET_VRING_ERR, 0, (odd ? ring.error : error).fd());
                ring.offer(i);
                (odd ? ring.kick : kick).signal();
                assertThat(ring.takeUsed()).isEqualTo(~(long) i);
                Await.until("called", () -> (odd ? ring.call : call).drain() > 0);
            }
            assertThat(device.starts).containsExactly(0);
        }
    }

    @Test
    void aBrokenQueueSignalsItsErrorDescriptorAndStopsAsAnyOther() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            ring.exchange(1);
            ring.offerNonsense();
            ring.notifyAvailable();
            Await.until("error", () -> ring.error.drain() > 0);
            assertThat(backend.counters().get(0).broken()).contains("999");
            assertThat(backend.counters().get(1)).isNull();
            frontend.base(0);
            assertThat(frontend.askInteger(GET_QUEUE_NUM)).isEqualTo(TestDevice.QUEUES);
        }
    }

    @Test
    void aLiveRingDoesNotMove() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            Payload.VringAddress address = TestRing.address(0);
            frontend.done(
                    SET_VRING_ADDR,
                    new Payload.VringAddress(
                            0, 1, address.descriptor(), address.used(), address.available(), 9));
            assertThat(
                            frontend.request(
                                    SET_VRING_ADDR,
                                    new Payload.VringAddress(
                                            0,
                                            0,
                                            address.descriptor() + 16,
                                            address.used(),
                                            address.available(),
                                            0)))
                    .isEqualTo(1);
            assertThat(frontend.request(SET_VRING_NUM, new Payload.VringState(0, 8))).isOne();
            assertThat(frontend.request(SET_VRING_BASE, new Payload.VringState(0, 8))).isOne();
            assertThat(
                            frontend.request(
                                    SET_FEATURES,
                                    new Payload.U64(1L << VHOST_USER_F_PROTOCOL_FEATURES)))
                    .isOne();
            frontend.done(SET_FEATURES, new Payload.U64(TestFrontend.FEATURES));
            ring.exchange(1);
        }
    }

    @Test
    void packedRingsTellBothPositions() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            frontend.done(
                    SET_FEATURES,
                    new Payload.U64(
                            TestFrontend.FEATURES | 1L << FeatureBits.VIRTIO_F_RING_PACKED));
            ring.setUp(frontend);
            frontend.done(SET_VRING_NUM, 0, 12);
            int base = 3 | 1 << 15 | 3 << 16 | 1 << 31;
            frontend.done(SET_VRING_BASE, 0, base);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            assertThat(device.starts).containsExactly(0);
            assertThat(frontend.base(0)).isEqualTo(base);
        }
    }
}
