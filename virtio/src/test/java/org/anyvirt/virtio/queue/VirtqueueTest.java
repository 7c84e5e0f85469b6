package org.anyvirt.virtio.queue;

import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_EVENT_IDX;
import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_INDIRECT_DESC;
import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_IN_ORDER;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import org.anyvirt.virtio.raw.Element;
import org.anyvirt.virtio.raw.GuestMemory;
import org.anyvirt.virtio.raw.PinnedMemory;
import org.anyvirt.virtio.raw.RawRing;
import org.anyvirt.virtio.raw.Used;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** What split and packed rings have in common. */
@ParameterizedClass(name = "packed: {0}")
@ValueSource(booleans = {false, true})
class VirtqueueTest {
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
    void takesChainsInRingOrderUpToAMaximum() throws Exception {
        DeviceVirtqueue queue = ring.device();
        int first = ring.offer(Element.readable(data, 1));
        int second = ring.offer(Element.readable(data, 2));
        int third = ring.offer(Element.readable(data, 3));

        assertThat(queue.take(chains, 2)).isEqualTo(2);
        assertThat(chains[0].head()).isEqualTo(first);
        assertThat(chains[1].head()).isEqualTo(second);
        assertThat(queue.take(chains, 2)).isEqualTo(1);
        assertThat(chains[0].head()).isEqualTo(third);
        assertThat(queue.take(chains, 2)).isZero();
        assertThat(queue.inFlight()).isEqualTo(3);
    }

    @Test
    void tellsReadableFromWritableElements() throws Exception {
        DeviceVirtqueue queue = ring.device();
        guest.at(data, 16).setString(0, "headdata");
        ring.offer(
                Element.readable(data, 4),
                Element.readable(data + 4, 4),
                Element.writable(data + 32, 8),
                Element.writable(data + 64, 1));

        queue.take(chains, 1);

        assertThat(chains[0].readable().fragments()).isEqualTo(2);
        byte[] read = new byte[8];
        chains[0].readable().get(0, MemorySegment.ofArray(read), 0, 8);
        assertThat(new String(read, StandardCharsets.US_ASCII)).isEqualTo("headdata");
        chains[0].writable().putByte(8, (byte) 77);
        assertThat(guest.at(data + 64, 1).get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 77);
    }

    @Test
    void readsAnIndirectTable() throws Exception {
        DeviceVirtqueue queue = ring.device(VIRTIO_F_INDIRECT_DESC);
        ring.offerIndirect(
                3,
                Element.readable(data, 4),
                Element.readable(data + 8, 5),
                Element.writable(data + 16, 6));

        assertThat(queue.take(chains, 1)).isEqualTo(1);

        assertThat(chains[0].readable().total()).isEqualTo(9);
        assertThat(chains[0].writable().total()).isEqualTo(6);
    }

    @Test
    void readsAnIndirectTableAfterDirectDescriptors() throws Exception {
        DeviceVirtqueue queue = ring.device(VIRTIO_F_INDIRECT_DESC);
        int id =
                ring.offerIndirect(
                        2,
                        Element.readable(data, 4),
                        Element.readable(data + 8, 5),
                        Element.readable(data + 16, 6),
                        Element.writable(data + 24, 7));

        assertThat(queue.take(chains, 1)).isEqualTo(1);
        assertThat(chains[0].readable().total()).isEqualTo(15);
        queue.complete(chains[0], 7);
        queue.flush();

        assertThat(ring.poll()).isEqualTo(new Used(id, 7));
        assertThat(ring.free()).isEqualTo(SIZE);
    }

    @Test
    void rejectsAChainOfMoreThan2To32Bytes() throws Exception {
        DeviceVirtqueue queue = device(new PinnedMemory(guest.bus()));
        ring.offer(Element.readable(0, 0xffff_ffffL), Element.writable(0, 2));

        assertThatThrownBy(() -> queue.take(chains, 1))
                .isInstanceOf(MalformedChainException.class)
                .hasMessageEndingWith("4294967297 bytes in the chain, more than 2^32");
    }

    @Test
    void acceptsAChainOf2To32Bytes() throws Exception {
        DeviceVirtqueue queue = device(new PinnedMemory(guest.bus()));
        int id = ring.offer(Element.writable(0, 1L << 31), Element.writable(0, 1L << 31));

        assertThat(queue.take(chains, 1)).isEqualTo(1);
        assertThat(chains[0].writable().total()).isEqualTo(1L << 32);
        queue.complete(chains[0], 1L << 32);
        queue.flush();
        assertThat(ring.poll())
                .as("as much as 32 bits can say")
                .isEqualTo(new Used(id, -1L >>> 32));
    }

    @Test
    void showsNoCompletionBeforeTheFlush() throws Exception {
        DeviceVirtqueue queue = ring.device();
        int first = ring.offer(Element.writable(data, 16));
        int second = ring.offer(Element.readable(data, 16));
        queue.take(chains, 2);

        queue.complete(chains[1], 0);
        queue.complete(chains[0], 5);
        assertThat(ring.poll()).isNull();
        assertThat(queue.inFlight()).isZero();
        assertThat(queue.usedBuffers()).isZero();

        assertThat(queue.flush()).isTrue();
        assertThat(ring.poll()).isEqualTo(new Used(second, 0));
        assertThat(ring.poll()).isEqualTo(new Used(first, 5));
        assertThat(ring.poll()).isNull();
        assertThat(queue.usedBuffers()).isEqualTo(2);
        assertThat(queue.flush()).as("nothing to show").isFalse();
    }

    @Test
    void keepsTheOrderOfTheRingWhenInOrderWasAccepted() throws Exception {
        DeviceVirtqueue queue = ring.device(VIRTIO_F_IN_ORDER);
        int first = ring.offer(Element.writable(data, 16));
        int second = ring.offer(Element.writable(data, 16), Element.writable(data, 16));
        int third = ring.offer(Element.writable(data, 16));
        queue.take(chains, 3);

        queue.complete(chains[2], 3);
        assertThat(queue.flush()).isFalse();
        assertThat(queue.completeFrom(chains[0].token(), 1)).isTrue();
        assertThat(queue.reapHandedOver()).isEqualTo(1);
        queue.flush();
        assertThat(ring.poll()).isEqualTo(new Used(first, 1));
        assertThat(ring.poll()).isNull();

        queue.complete(chains[1], 2);
        queue.flush();
        assertThat(ring.poll()).isEqualTo(new Used(second, 2));
        assertThat(ring.poll()).isEqualTo(new Used(third, 3));
    }

    @Test
    void completesFromOtherThreadsOnceReaped() throws Exception {
        int[] wakes = {0};
        DeviceVirtqueue queue = ring.device(() -> wakes[0]++);
        int first = ring.offer(Element.writable(data, 16));
        int second = ring.offer(Element.writable(data, 16));
        queue.take(chains, 2);
        long firstToken = chains[0].token();
        long secondToken = chains[1].token();

        Thread other =
                Thread.ofPlatform()
                        .start(() -> {
                            assertThat(queue.completeFrom(secondToken, 2)).isTrue();
                            assertThat(queue.completeFrom(firstToken, 1)).isTrue();
                        });
        other.join();

        assertThat(wakes[0]).as("one wake is enough for what is handed over").isEqualTo(1);
        assertThat(queue.inFlight()).isEqualTo(2);
        assertThat(queue.reapHandedOver()).isEqualTo(2);
        assertThat(queue.reapHandedOver()).isZero();
        assertThat(queue.inFlight()).isZero();
        queue.flush();
        assertThat(ring.poll()).isEqualTo(new Used(second, 2));
        assertThat(ring.poll()).isEqualTo(new Used(first, 1));
    }

    @Test
    void refusesStaleTokens() throws Exception {
        DeviceVirtqueue queue = ring.device();
        ring.offer(Element.writable(data, 16));
        queue.take(chains, 1);
        long token = chains[0].token();

        assertThat(queue.completeFrom(token, 1)).isTrue();
        assertThat(queue.completeFrom(token, 1)).as("completed twice").isFalse();
        queue.reapHandedOver();
        queue.flush();
        assertThat(queue.completeFrom(token, 1)).as("given back").isFalse();

        ring.poll();
        ring.offer(Element.writable(data, 16));
        queue.take(chains, 1);
        assertThat(chains[0].token() & 0xffff).as("the same head").isEqualTo(token & 0xffff);
        assertThat(queue.completeFrom(token, 1)).as("an older use").isFalse();
        assertThat(queue.inFlight()).isEqualTo(1);

        long current = chains[0].token();
        queue.close();
        assertThat(queue.completeFrom(current, 1)).as("the queue has stopped").isFalse();
    }

    @Test
    void refusesTokensThatNeverWere() throws Exception {
        DeviceVirtqueue queue = ring.device();
        ring.offer(Element.writable(data, 16));
        queue.take(chains, 1);

        for (long token : new long[] {0, 1, -1, 0xffff, 1L << 16 | 0xffff, 99L << 16}) {
            assertThat(queue.completeFrom(token, 0)).as("%x", token).isFalse();
        }
    }

    @Test
    void callsItADefectToCompleteTwiceOnTheOwnersThread() throws Exception {
        DeviceVirtqueue queue = ring.device();
        ring.offer(Element.writable(data, 16));
        queue.take(chains, 1);
        queue.complete(chains[0], 0);

        assertThatThrownBy(() -> queue.complete(chains[0], 0))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("completed twice");
    }

    @Test
    void callsItADefectToCompleteWhatWasHandedOver() throws Exception {
        DeviceVirtqueue queue = ring.device();
        ring.offer(Element.writable(data, 16));
        queue.take(chains, 1);
        queue.completeFrom(chains[0].token(), 0);

        assertThatThrownBy(() -> queue.complete(chains[0], 0)).isInstanceOf(AssertionError.class);
    }

    @Test
    void callsItADefectToWriteMoreThanTheDriverGave() throws Exception {
        DeviceVirtqueue queue = ring.device();
        ring.offer(Element.readable(data, 32), Element.writable(data, 16));
        queue.take(chains, 1);

        assertThatThrownBy(() -> queue.complete(chains[0], 17))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("17 bytes written to 16");
    }

    @Test
    void givesEachUseOfAHeadAGreaterToken() throws Exception {
        DeviceVirtqueue queue = ring.device();
        long last = 0;
        for (int i = 0; i < 100; i++) {
            ring.offer(Element.readable(data, 1));
            queue.take(chains, 1);
            assertThat(chains[0].token()).isGreaterThan(last);
            last = chains[0].token();
            queue.complete(chains[0], 0);
            queue.flush();
            ring.poll();
        }
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

    @Test
    void stopsEarlyAtPendingMemoryAndTakesTheSameChainLater() throws Exception {
        PinnedMemory memory = new PinnedMemory(guest.bus());
        DeviceVirtqueue queue = device(memory, VIRTIO_F_INDIRECT_DESC);
        int first = ring.offer(Element.readable(data, 1), Element.writable(data, 1));
        int second = ring.offerIndirect(2, Element.readable(data, 2), Element.writable(data, 2));
        ring.offer(Element.readable(data, 3));

        for (int resolved = 2; resolved < 5; resolved++) {
            if (resolved == 2) {
                memory.pendAfter(2);
                assertThat(queue.take(chains, SIZE)).isEqualTo(1);
                assertThat(chains[0].head()).isEqualTo(first);
            } else {
                memory.pendAfter(resolved - 2);
                assertThat(queue.take(chains, SIZE)).isZero();
            }
            assertThat(memory.pins()).as("only the first chain's").isEqualTo(2);
            assertThat(queue.inFlight()).isEqualTo(1);
            assertThat(queue.arm()).as("nothing to do before memory arrives").isFalse();
        }

        memory.arrive();
        assertThat(queue.take(chains, SIZE)).isEqualTo(2);
        assertThat(chains[0].head()).isEqualTo(second);
        assertThat(chains[0].readable().total()).isEqualTo(2);
        assertThat(memory.pins()).as("the table is released").isEqualTo(5);
    }

    @Test
    void releasesWhatAChainHoldsWhenItIsCompleted() throws Exception {
        PinnedMemory memory = new PinnedMemory(guest.bus());
        DeviceVirtqueue queue = device(memory);
        ring.offer(Element.readable(data, 1), Element.writable(data, 1));
        ring.offer(Element.readable(data, 1));
        queue.take(chains, 2);

        queue.complete(chains[0], 0);
        assertThat(memory.pins()).isEqualTo(1);
        assertThat(chains[0].readable().fragments()).isZero();
        queue.completeFrom(chains[1].token(), 0);
        queue.reapHandedOver();
        assertThat(memory.pins()).isZero();
    }

    @Test
    void releasesWhatAMalformedChainHeld() throws Exception {
        PinnedMemory memory = new PinnedMemory(guest.bus());
        DeviceVirtqueue queue = device(memory, VIRTIO_F_INDIRECT_DESC);
        ring.offerIndirect(
                3,
                Element.readable(data, 1),
                Element.readable(data, 2),
                Element.writable(data, 3),
                Element.writable(0x77, 4));

        assertThatThrownBy(() -> queue.take(chains, 1)).hasMessageContaining("0x77");
        assertThat(memory.pins()).isZero();
    }

    @Test
    void releasesEverythingWhenItIsClosed() throws Exception {
        PinnedMemory memory = new PinnedMemory(guest.bus());
        DeviceVirtqueue queue = device(memory, VIRTIO_F_IN_ORDER);
        for (int i = 0; i < 3; i++) {
            ring.offer(Element.readable(data, 1), Element.writable(data, 1));
        }
        queue.take(chains, 3);
        queue.complete(chains[1], 0);
        queue.completeFrom(chains[2].token(), 0);

        queue.close();

        assertThat(memory.pins()).isZero();
        assertThat(queue.inFlight()).isZero();
    }

    private DeviceVirtqueue device(PinnedMemory memory, int... features) throws Exception {
        return Virtqueues.create(
                0, ring.layout(), ring.start(), ring.features(features), memory, () -> {});
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
