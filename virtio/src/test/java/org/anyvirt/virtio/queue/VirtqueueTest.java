package org.anyvirt.virtio.queue;

import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_INDIRECT_DESC;
import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_IN_ORDER;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import org.anyvirt.virtio.raw.Element;
import org.anyvirt.virtio.raw.GuestMemory;
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
}
