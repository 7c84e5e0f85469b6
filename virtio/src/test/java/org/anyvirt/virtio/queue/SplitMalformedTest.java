package org.anyvirt.virtio.queue;

import static org.anyvirt.virtio.raw.RawRing.INDIRECT;
import static org.anyvirt.virtio.raw.RawRing.NEXT;
import static org.anyvirt.virtio.raw.RawRing.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.raw.Element;
import org.anyvirt.virtio.raw.GuestMemory;
import org.anyvirt.virtio.raw.RawSplitRing;
import org.anyvirt.virtio.raw.Used;
import org.anyvirt.virtio.spec.FeatureBits;
import org.junit.jupiter.api.Test;

/** What a driver may not do in a split ring: one test for each check. */
class SplitMalformedTest {
    private static final int SIZE = 8;

    private final GuestMemory guest = new GuestMemory(1 << 20);
    private final RawSplitRing ring = new RawSplitRing(guest, SIZE);
    private final long data = guest.allocate(4096, 16);
    private final Chain[] chains = new Chain[SIZE];
    private final DeviceVirtqueue queue;

    SplitMalformedTest() throws UnmappedRangeException {
        queue = ring.device(FeatureBits.VIRTIO_F_INDIRECT_DESC);
    }

    @Test
    void rejectsAnAvailableIndexThatJumpsByMoreThanTheQueue() {
        ring.availableIdx(SIZE + 1);

        assertMalformed("queue 0: the available index jumped from 0 to 9, by more than the 8");
    }

    @Test
    void rejectsAnAvailableIndexThatGoesBack() throws MalformedChainException {
        ring.offer(Element.readable(data, 1));
        queue.take(chains, 1);
        ring.availableIdx(0);

        assertMalformed("queue 0: the available index jumped from 1 to 0");
    }

    @Test
    void acceptsAnAvailableIndexThatFillsTheQueue() throws MalformedChainException {
        for (int i = 0; i < SIZE; i++) {
            ring.offer(Element.readable(data, 1));
        }

        assertThat(queue.take(chains, SIZE)).isEqualTo(SIZE);
    }

    @Test
    void rejectsAHeadThatIsNotInTheTable() {
        ring.available(SIZE);

        assertMalformed("queue 0, head 8: the head is not below the queue's size of 8");
    }

    @Test
    void rejectsTheLargestHead() {
        ring.available(0xffff);

        assertMalformed("queue 0, head 65535: ");
    }

    @Test
    void rejectsANextThatIsNotInTheTable() {
        ring.descriptor(3, data, 1, NEXT, SIZE);
        ring.available(3);

        assertMalformed("queue 0, head 3: next is 8 in a table of 8 descriptors");
    }

    @Test
    void rejectsADescriptorThatFollowsItself() {
        ring.descriptor(3, data, 1, NEXT, 3);
        ring.available(3);

        assertMalformed("queue 0, head 3: a loop: next is 3 after 8");
    }

    @Test
    void rejectsALoopOfSeveralDescriptors() {
        ring.descriptor(3, data, 1, NEXT, 4);
        ring.descriptor(4, data, 1, NEXT, 5);
        ring.descriptor(5, data, 1, NEXT, 4);
        ring.available(3);

        assertMalformed("queue 0, head 3: a loop");
    }

    @Test
    void acceptsAChainAsLongAsTheQueue() throws MalformedChainException {
        for (int i = 0; i < SIZE; i++) {
            ring.descriptor(i, data + i, 1, i < SIZE - 1 ? NEXT : 0, i + 1);
        }
        ring.available(0);

        assertThat(queue.take(chains, 1)).isEqualTo(1);
        assertThat(chains[0].readable().fragments()).isEqualTo(SIZE);
    }

    @Test
    void rejectsAHeadThatIsInFlight() throws MalformedChainException {
        int head = ring.offer(Element.readable(data, 1));
        queue.take(chains, 1);
        ring.available(head);

        assertMalformed("queue 0, head 0: the head is in flight already");
    }

    @Test
    void rejectsAHeadOfferedTwiceAtOnceAndKeepsTheFirst() throws MalformedChainException {
        int head = ring.offer(Element.readable(data, 1));
        ring.available(head);

        assertThat(queue.take(chains, SIZE)).isEqualTo(1);
        assertMalformed("queue 0, head 0: the head is in flight already");
    }

    @Test
    void rejectsAHeadThatIsCompletedButNotYetInTheUsedRing() throws MalformedChainException {
        int head = ring.offer(Element.readable(data, 1));
        queue.take(chains, 1);
        queue.complete(chains[0], 0);
        ring.available(head);

        assertMalformed("queue 0, head 0: the head is in flight already");
    }

    @Test
    void rejectsUnknownFlags() {
        ring.descriptor(0, data, 1, 8, 0);
        ring.available(0);

        assertMalformed("queue 0, head 0: unknown descriptor flags 0x8");
    }

    @Test
    void rejectsADeviceReadableBufferAfterADeviceWritableOne() {
        ring.descriptor(0, data, 1, WRITE | NEXT, 1);
        ring.descriptor(1, data, 1, 0, 0);
        ring.available(0);

        assertMalformed("queue 0, head 0: a device-readable buffer after a device-writable one");
    }

    @Test
    void rejectsADeviceReadableBufferAfterAnEmptyDeviceWritableOne() {
        ring.descriptor(0, data, 0, WRITE | NEXT, 1);
        ring.descriptor(1, data, 1, 0, 0);
        ring.available(0);

        assertMalformed("a device-readable buffer after a device-writable one");
    }

    @Test
    void rejectsAnIndirectTableOfAnotherSizeThanMultiplesOf16() {
        ring.descriptor(0, data, 24, INDIRECT, 0);
        ring.available(0);

        assertMalformed("queue 0, head 0: an indirect table of 24 bytes, not a multiple of 16");
    }

    @Test
    void rejectsAnEmptyIndirectTable() {
        ring.descriptor(0, data, 0, INDIRECT, 0);
        ring.available(0);

        assertMalformed("an indirect table of 0 bytes, not a multiple of 16");
    }

    @Test
    void rejectsAnOversizedIndirectTable() {
        ring.descriptor(0, data, 1025 * 16, INDIRECT, 0);
        ring.available(0);

        assertMalformed("an indirect table of 1025 descriptors, more than 1024");
    }

    @Test
    void rejectsTheLargestIndirectTable() {
        ring.descriptor(0, data, 0xffff_fff0L, INDIRECT, 0);
        ring.available(0);

        assertMalformed("an indirect table of 268435455 descriptors, more than 1024");
    }

    @Test
    void acceptsAnIndirectTableLongerThanTheQueue() throws MalformedChainException {
        Element[] elements = new Element[1024];
        for (int i = 0; i < elements.length; i++) {
            elements[i] = new Element(data + i, 1, i >= 1000);
        }
        ring.offerIndirect(elements.length, elements);

        assertThat(queue.take(chains, 1)).isEqualTo(1);
        assertThat(chains[0].readable().total()).isEqualTo(1000);
        assertThat(chains[0].writable().total()).isEqualTo(24);
    }

    @Test
    void rejectsAnIndirectDescriptorInAnIndirectTable() {
        MemorySegment table = guest.at(data, 32);
        ring.tableEntry(table, 0, data, 1, NEXT, 1);
        ring.tableEntry(table, 1, data, 16, INDIRECT, 0);
        ring.descriptor(0, data, 32, INDIRECT, 0);
        ring.available(0);

        assertMalformed("queue 0, head 0: entry 1 of the indirect table is indirect itself");
    }

    @Test
    void rejectsAnIndirectDescriptorWithANextOne() {
        ring.descriptor(0, data, 16, INDIRECT | NEXT, 1);
        ring.available(0);

        assertMalformed("flags 0x5: an indirect descriptor with a next one");
    }

    @Test
    void ignoresTheWriteFlagOfTheDescriptorThatRefersToATable() throws MalformedChainException {
        ring.tableEntry(guest.at(data, 16), 0, data, 5, 0, 0);
        ring.descriptor(0, data, 16, INDIRECT | WRITE, 0);
        ring.available(0);

        assertThat(queue.take(chains, 1)).isEqualTo(1);
        assertThat(chains[0].readable().total()).isEqualTo(5);
    }

    @Test
    void rejectsAnIndirectDescriptorWhenTheFeatureWasNotAccepted() throws Exception {
        DeviceVirtqueue plain = ring.device();
        ring.offerIndirect(1, Element.readable(data, 1));

        assertThatThrownBy(() -> plain.take(chains, 1))
                .isInstanceOf(MalformedChainException.class)
                .hasMessageContaining("without VIRTIO_F_INDIRECT_DESC");
    }

    @Test
    void rejectsANextThatIsNotInTheIndirectTable() {
        ring.tableEntry(guest.at(data, 32), 0, data, 1, NEXT, 2);
        ring.descriptor(0, data, 32, INDIRECT, 0);
        ring.available(0);

        assertMalformed("queue 0, head 0: next is 2 in a table of 2 descriptors");
    }

    @Test
    void rejectsALoopInAnIndirectTable() {
        MemorySegment table = guest.at(data, 32);
        ring.tableEntry(table, 0, data, 1, NEXT, 1);
        ring.tableEntry(table, 1, data, 1, NEXT, 0);
        ring.descriptor(0, data, 32, INDIRECT, 0);
        ring.available(0);

        assertMalformed("queue 0, head 0: a loop: next is 0 after 2");
    }

    @Test
    void rejectsUnknownFlagsInAnIndirectTable() {
        ring.tableEntry(guest.at(data, 16), 0, data, 1, 0x100, 0);
        ring.descriptor(0, data, 16, INDIRECT, 0);
        ring.available(0);

        assertMalformed("unknown descriptor flags 0x100");
    }

    @Test
    void rejectsAnIndirectTableThatIsNotShared() {
        ring.descriptor(0, 0x77, 16, INDIRECT, 0);
        ring.available(0);

        assertMalformed("queue 0, head 0: [0x77, +0x10) is not shared memory, device-readable");
    }

    @Test
    void rejectsABufferThatIsNotShared() {
        ring.descriptor(0, GuestMemory.BASE + (1 << 20) - 1, 2, WRITE, 0);
        ring.available(0);

        assertMalformed("[0x400fffff, +0x2) is not shared memory, device-writable");
    }

    @Test
    void rejectsABufferThatWrapsAroundTheAddressSpace() {
        ring.descriptor(0, -1, 0xffff_ffffL, 0, 0);
        ring.available(0);

        assertMalformed("[0xffffffffffffffff, +0xffffffff) is not shared memory");
    }

    @Test
    void takesNoBytesFromABufferOfNoLengthWhereverItIs() throws MalformedChainException {
        ring.descriptor(0, 0x77, 0, NEXT, 1);
        ring.descriptor(1, data, 3, NEXT, 2);
        ring.descriptor(2, -1, 0, WRITE, 0);
        ring.available(0);

        assertThat(queue.take(chains, 1)).isEqualTo(1);
        assertThat(chains[0].readable().fragments()).isEqualTo(1);
        assertThat(chains[0].readable().total()).isEqualTo(3);
        assertThat(chains[0].writable().fragments()).isZero();
    }

    @Test
    void staysBrokenAndStillCompletesWhatIsInFlight() throws MalformedChainException {
        ring.offer(Element.writable(data, 4));
        ring.available(0xffff);
        assertThat(queue.take(chains, SIZE)).isEqualTo(1);
        Chain good = chains[0];

        assertMalformed("queue 0, head 65535");
        assertMalformed("queue 0, head 65535");
        ring.offer(Element.readable(data, 1));
        assertMalformed("queue 0, head 65535");

        queue.complete(good, 4);
        assertThat(queue.flush()).isTrue();
        assertThat(ring.poll()).isEqualTo(new Used(0, 4));
        assertThat(queue.inFlight()).isZero();
    }

    @Test
    void asksForAnotherTakeWhenAViolationWasHeldBack() throws MalformedChainException {
        ring.offer(Element.readable(data, 1));
        ring.available(0xffff);
        assertThat(queue.take(chains, SIZE)).isEqualTo(1);

        assertThat(queue.arm()).as("there is something to learn").isTrue();
    }

    private void assertMalformed(String message) {
        assertThatThrownBy(() -> queue.take(chains, SIZE))
                .isInstanceOf(MalformedChainException.class)
                .hasMessageContaining(message);
    }
}
