package org.anyvirt.virtio.queue;

import static org.anyvirt.virtio.raw.RawRing.INDIRECT;
import static org.anyvirt.virtio.raw.RawRing.NEXT;
import static org.anyvirt.virtio.raw.RawRing.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.raw.Element;
import org.anyvirt.virtio.raw.GuestMemory;
import org.anyvirt.virtio.raw.RawPackedRing;
import org.anyvirt.virtio.raw.Used;
import org.anyvirt.virtio.spec.FeatureBits;
import org.junit.jupiter.api.Test;

/** What a driver may not do in a packed ring: one test for each check. */
class PackedMalformedTest {
    private static final int SIZE = 6;
    private static final int AVAIL = RawPackedRing.AVAIL;
    private static final int USED = RawPackedRing.USED;

    private final GuestMemory guest = new GuestMemory(1 << 20);
    private final RawPackedRing ring = new RawPackedRing(guest, SIZE);
    private final long data = guest.allocate(4096, 16);
    private final Chain[] chains = new Chain[SIZE];
    private final DeviceVirtqueue queue;

    PackedMalformedTest() throws UnmappedRangeException {
        queue = ring.device(FeatureBits.VIRTIO_F_INDIRECT_DESC);
    }

    @Test
    void rejectsABufferIdThatIsNotBelowTheSize() {
        ring.descriptor(0, data, 1, SIZE, AVAIL);

        assertMalformed("queue 0, head 0: the buffer id 6 is not below the queue's size of 6");
    }

    @Test
    void rejectsTheLargestBufferId() {
        ring.descriptor(0, data, 1, 0xffff, AVAIL);

        assertMalformed("the buffer id 65535 is not below");
    }

    @Test
    void rejectsABufferIdThatIsInFlight() throws MalformedChainException {
        ring.descriptor(0, data, 1, 3, AVAIL);
        assertThat(queue.take(chains, SIZE)).isEqualTo(1);
        ring.descriptor(1, data, 1, 3, AVAIL);

        assertMalformed("queue 0, head 1: the buffer id 3 is in flight already");
    }

    @Test
    void rejectsABufferIdThatIsCompletedButNotYetInTheRing() throws MalformedChainException {
        ring.descriptor(0, data, 1, 3, AVAIL);
        queue.take(chains, SIZE);
        queue.complete(chains[0], 0);
        ring.descriptor(1, data, 1, 3, AVAIL);

        assertMalformed("the buffer id 3 is in flight already");
    }

    @Test
    void rejectsAListLongerThanTheRing() {
        for (int i = 0; i < SIZE; i++) {
            ring.descriptor(i, data, 1, 0, AVAIL | NEXT);
        }

        assertMalformed("queue 0, head 0: the list goes on at 0, which is not available");
    }

    @Test
    void rejectsAListThatRunsIntoDescriptorsInFlight() throws MalformedChainException {
        for (int i = 0; i < SIZE - 1; i++) {
            ring.descriptor(i, data, 1, i, AVAIL);
        }
        assertThat(queue.take(chains, SIZE)).isEqualTo(SIZE - 1);
        ring.descriptor(0, data, 1, 5, USED);
        ring.descriptor(SIZE - 1, data, 1, 5, AVAIL | NEXT);

        assertMalformed("queue 0, head 5: the list runs into the 5 descriptors in flight");
    }

    @Test
    void rejectsADescriptorWhenAllAreInFlight() throws MalformedChainException {
        ring.descriptor(0, data, 1, 0, AVAIL | NEXT);
        for (int i = 1; i < SIZE; i++) {
            ring.descriptor(i, data, 1, 0, AVAIL | (i < SIZE - 1 ? NEXT : 0));
        }
        assertThat(queue.take(chains, SIZE)).isEqualTo(1);
        ring.descriptor(0, data, 1, 1, USED);

        assertMalformed("queue 0, head 0: the list runs into the 6 descriptors in flight");
    }

    @Test
    void rejectsAListThatGoesOnWhereNothingIsAvailable() {
        ring.descriptor(1, data, 1, 0, 0);
        ring.descriptor(0, data, 1, 0, AVAIL | NEXT);

        assertMalformed("queue 0, head 0: the list goes on at 1, which is not available");
    }

    @Test
    void rejectsUnknownFlags() {
        ring.descriptor(0, data, 1, 0, AVAIL | 0x100);

        assertMalformed("queue 0, head 0: unknown descriptor flags 0x100");
    }

    @Test
    void rejectsADeviceReadableBufferAfterADeviceWritableOne() {
        ring.descriptor(1, data, 1, 0, AVAIL);
        ring.descriptor(0, data, 1, 0, AVAIL | NEXT | WRITE);

        assertMalformed("a device-readable buffer after a device-writable one");
    }

    @Test
    void rejectsAnIndirectTableOfAnotherSizeThanMultiplesOf16() {
        ring.descriptor(0, data, 17, 0, AVAIL | INDIRECT);

        assertMalformed("an indirect table of 17 bytes, not a multiple of 16");
    }

    @Test
    void rejectsAnEmptyIndirectTable() {
        ring.descriptor(0, data, 0, 0, AVAIL | INDIRECT);

        assertMalformed("an indirect table of 0 bytes");
    }

    @Test
    void rejectsAnOversizedIndirectTable() {
        ring.descriptor(0, data, 1025 * 16, 0, AVAIL | INDIRECT);

        assertMalformed("an indirect table of 1025 descriptors, more than 1024");
    }

    @Test
    void rejectsAnIndirectDescriptorWithANextOne() {
        ring.descriptor(0, data, 16, 0, AVAIL | INDIRECT | NEXT);

        assertMalformed("flags 0x5: an indirect descriptor with a next one");
    }

    @Test
    void rejectsAnIndirectDescriptorWhenTheFeatureWasNotAccepted() throws Exception {
        DeviceVirtqueue plain = ring.device();
        ring.descriptor(0, data, 16, 0, AVAIL | INDIRECT);

        assertThatThrownBy(() -> plain.take(chains, 1))
                .isInstanceOf(MalformedChainException.class)
                .hasMessageContaining("without VIRTIO_F_INDIRECT_DESC");
    }

    @Test
    void readsEveryEntryOfATableAndNoFlagButWrite() throws MalformedChainException {
        MemorySegment table = guest.at(data, 48);
        ring.tableEntry(table, 0, Element.readable(data, 1), false);
        ring.tableEntry(table, 1, Element.readable(data, 2), false);
        ring.tableEntry(table, 2, Element.writable(data, 4), false);
        table.set(ValueLayout.JAVA_BYTE, 14, (byte) (INDIRECT | NEXT | 0x80));
        ring.descriptor(0, data, 48, 0, AVAIL | INDIRECT | WRITE);

        assertThat(queue.take(chains, 1)).isEqualTo(1);
        assertThat(chains[0].readable().total()).isEqualTo(3);
        assertThat(chains[0].writable().total()).isEqualTo(4);
    }

    @Test
    void rejectsABufferThatIsNotShared() {
        ring.descriptor(0, 0x77, 2, 0, AVAIL | WRITE);

        assertMalformed("queue 0, head 0: [0x77, +0x2) is not shared memory, device-writable");
    }

    @Test
    void takesNoBytesFromABufferOfNoLengthWhereverItIs() throws MalformedChainException {
        ring.descriptor(0, 0x77, 0, 0, AVAIL | WRITE);

        assertThat(queue.take(chains, 1)).isEqualTo(1);
        assertThat(chains[0].writable().fragments()).isZero();
    }

    @Test
    void staysBrokenAndStillCompletesWhatIsInFlight() throws MalformedChainException {
        int id = ring.offer(Element.writable(data, 4));
        ring.descriptor(1, data, 1, 0xffff, AVAIL);
        assertThat(queue.take(chains, SIZE)).isEqualTo(1);
        assertThat(queue.arm()).as("there is something to learn").isTrue();
        Chain good = chains[0];

        assertMalformed("queue 0, head 1: the buffer id 65535");
        assertMalformed("queue 0, head 1: the buffer id 65535");

        queue.complete(good, 4);
        assertThat(queue.flush()).isTrue();
        assertThat(ring.poll()).isEqualTo(new Used(id, 4));
    }

    private void assertMalformed(String message) {
        assertThatThrownBy(() -> queue.take(chains, SIZE))
                .isInstanceOf(MalformedChainException.class)
                .hasMessageContaining(message);
    }
}
