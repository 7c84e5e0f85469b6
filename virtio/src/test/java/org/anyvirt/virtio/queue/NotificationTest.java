package org.anyvirt.virtio.queue;

import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_EVENT_IDX;
import static org.assertj.core.api.Assertions.assertThat;

import org.anyvirt.virtio.raw.Element;
import org.anyvirt.virtio.raw.GuestMemory;
import org.anyvirt.virtio.raw.RawRing;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** When each side asks for notifications and gets them, in both kinds of ring. */
@ParameterizedClass(name = "packed: {0}")
@ValueSource(booleans = {false, true})
class NotificationTest {
    private static final int SIZE = 8;

    @Parameter boolean packed;

    private final GuestMemory guest = new GuestMemory(1 << 20);
    private final long data = guest.allocate(4096, 16);
    private final Chain[] chains = new Chain[SIZE];
    private RawRing ring;

    @BeforeEach
    void build() {
        ring = RawRing.create(packed, guest, SIZE);
    }

    @Test
    void obeysTheDriversFlagsWithoutEventIdx() throws Exception {
        DeviceVirtqueue queue = ring.device();

        ring.wantUsed(false);
        assertThat(serveOne(queue)).isFalse();
        ring.wantUsed(true);
        assertThat(serveOne(queue)).isTrue();
    }

    @Test
    void notifiesOfTheBufferThatTheDriverWaitsForWithEventIdx() throws Exception {
        DeviceVirtqueue queue = ring.device(VIRTIO_F_EVENT_IDX);
        ring.wantNextUsed();
        assertThat(serveOne(queue)).isTrue();
        assertThat(serveOne(queue)).isFalse();
        assertThat(serveOne(queue)).isFalse();
        ring.wantNextUsed();
        assertThat(serveOne(queue)).isTrue();
    }

    @Test
    void notifiesOnceOfABatchThatPassesTheEvent() throws Exception {
        DeviceVirtqueue queue = ring.device(VIRTIO_F_EVENT_IDX);
        ring.wantNextUsed();
        serveOne(queue);
        for (int i = 0; i < 4; i++) {
            ring.offer(Element.readable(data, 1));
        }
        queue.take(chains, 4);
        queue.complete(chains[0], 0);
        assertThat(queue.flush()).isFalse();
        ring.poll();
        ring.wantNextUsed();
        queue.complete(chains[1], 0);
        queue.complete(chains[2], 0);
        assertThat(queue.flush()).isTrue();
        queue.complete(chains[3], 0);
        assertThat(queue.flush()).isFalse();
    }

    @Test
    void notifiesOfTheFirstBufferAfterAStartWhateverTheEvent() throws Exception {
        DeviceVirtqueue queue = ring.device(VIRTIO_F_EVENT_IDX);
        ring.wantNextUsed();
        assertThat(serveOne(queue)).isTrue();
        queue.close();

        DeviceVirtqueue next = ring.device(VIRTIO_F_EVENT_IDX);
        assertThat(serveOne(next)).as("the one before may have owed it").isTrue();
        assertThat(serveOne(next)).isFalse();
    }

    @Test
    void asksForNotificationsOnlyWhileArmed() throws Exception {
        DeviceVirtqueue queue = ring.device();

        queue.disarm();
        assertThat(offerAndAsk(false)).isFalse();
        queue.take(chains, SIZE);
        assertThat(queue.arm()).isFalse();
        assertThat(offerAndAsk(false)).isTrue();
        queue.disarm();
        assertThat(offerAndAsk(false)).isFalse();
    }

    @Test
    void asksForTheNextAvailableBufferWithEventIdx() throws Exception {
        DeviceVirtqueue queue = ring.device(VIRTIO_F_EVENT_IDX);

        assertThat(queue.arm()).isFalse();
        assertThat(offerAndAsk(true)).isTrue();
        assertThat(offerAndAsk(true)).isFalse();
        queue.take(chains, SIZE);
        queue.disarm();
        assertThat(offerAndAsk(true)).isFalse();
        queue.take(chains, SIZE);
        assertThat(queue.arm()).isFalse();
        assertThat(offerAndAsk(true)).isTrue();
    }

    @Test
    void findsBuffersThatCameBeforeItWasArmed() throws Exception {
        DeviceVirtqueue queue = ring.device();
        assertThat(queue.take(chains, SIZE)).isZero();
        ring.offer(Element.readable(data, 1));

        assertThat(queue.arm()).isTrue();
        queue.disarm();
        queue.take(chains, SIZE);
        assertThat(queue.arm()).isFalse();
    }

    @Test
    void letsTheRunnerSleepWhileTheDeviceHasEnoughToDo() throws Exception {
        DeviceVirtqueue queue = ring.device();
        ring.offer(Element.readable(data, 1));
        ring.offer(Element.readable(data, 1));

        assertThat(queue.take(chains, 1)).isEqualTo(1);
        assertThat(queue.arm()).as("the device did not run dry").isFalse();
    }

    private boolean serveOne(DeviceVirtqueue queue) throws MalformedChainException {
        ring.offer(Element.readable(data, 1));
        assertThat(queue.take(chains, 1)).isEqualTo(1);
        queue.complete(chains[0], 0);
        boolean notify = queue.flush();
        assertThat(ring.poll()).isNotNull();
        return notify;
    }

    private boolean offerAndAsk(boolean eventIdx) {
        int before = ring.offered();
        ring.offer(Element.readable(data, 1));
        return ring.deviceWants(before, eventIdx);
    }
}
