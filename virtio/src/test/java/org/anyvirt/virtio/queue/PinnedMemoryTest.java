package org.anyvirt.virtio.queue;

import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_INDIRECT_DESC;
import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_IN_ORDER;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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

/** What a queue holds of memory that is not there at once, and when it lets go. */
@ParameterizedClass(name = "packed: {0}")
@ValueSource(booleans = {false, true})
class PinnedMemoryTest {
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
}
