package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_S_OK;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_NEXT;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What only a packed ring can have wrong (VIRTIO 1.3, 2.8). */
@Timeout(60)
class HostilePackedRingTest {
    @RegisterExtension static final ServedDisks DISKS = new ServedDisks("packed", "disk");

    private static final int SIZE = HostileQueue.SIZE;

    private HostileSession session;
    private RawPackedRing ring;

    @BeforeEach
    void open() throws IOException {
        session = HostileSession.open(DISKS, "disk", Kind.PACKED);
        ring = session.packed();
    }

    @AfterEach
    void close() {
        session.close();
    }

    private Element[] read() {
        return new Element[] {session.readHeader(), session.in(512), session.status()};
    }

    @ParameterizedTest
    @ValueSource(ints = {SIZE, 256, 0x7fff, 0xffff})
    void breaksOnBufferIdOutOfRange(int id) throws IOException {
        ring.addWithId(id, read());
        session.queue().publish();
        session.assertBroken("queue 0, head 0: the buffer id " + id + " is not below");
    }

    /** CVE-2016-5403, CVE-2026-45782. What was taken before is served. */
    @Test
    void breaksOnBufferIdThatIsInFlight() throws IOException {
        ring.addWithId(7, read());
        ring.addWithId(7, read());
        session.queue().publish();
        session.assertBroken("queue 0, head 3: the buffer id 7 is in flight already");
        session.device().stop(0);
        assertThat(ring.used()).isEqualTo(1);
        assertThat(session.statusWritten()).isEqualTo(VIRTIO_BLK_S_OK);
    }

    @Test
    void breaksOnListThatEndsInAnUnavailableDescriptor() throws IOException {
        ring.descriptor(session.readHeader().withFlags(VIRTQ_DESC_F_NEXT), 0);
        ring.descriptor(session.in(512).withFlags(VIRTQ_DESC_F_NEXT), 0);
        ring.descriptor(session.status(), 0, ring.unavailableFlags());
        session.queue().publish();
        session.assertBroken("queue 0, head 0: the list goes on at 2, which is not available");
    }

    /** Both flags equal is what a used descriptor looks like. */
    @Test
    void breaksOnListThatEndsInAUsedDescriptor() throws IOException {
        ring.descriptor(session.readHeader().withFlags(VIRTQ_DESC_F_NEXT), 0);
        ring.descriptor(session.in(512), 0, 0x8080);
        session.queue().publish();
        session.assertBroken("queue 0, head 0: the list goes on at 1, which is not available");
    }

    /** A first descriptor with the other round's wrap counter is not there yet. */
    @Test
    void doesNotLookAtDescriptorsOfAnotherRound() throws IOException {
        HostileQueue other = session.start(1);
        ring.descriptor(session.readHeader().withFlags(VIRTQ_DESC_F_NEXT), 0, 0x8000);
        ring.descriptor(session.in(512).withFlags(VIRTQ_DESC_F_NEXT), 0, 0x8000);
        ring.descriptor(session.status(), 0, 0x8000);
        session.queue().publish();
        // Both queues have the same runner: when it has served one, it has looked at both.
        int status = session.run(other, read());
        assertThat(status).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(ring.used()).isZero();
        assertThat(session.queue().isBroken()).isFalse();
    }

    /** CVE-2019-9547: every descriptor goes on, once round and again. */
    @Test
    void breaksOnListWithoutEnd() throws IOException {
        for (int i = 0; i < SIZE; i++) {
            ring.descriptor(session.out(16).withFlags(VIRTQ_DESC_F_NEXT), 0);
        }
        session.queue().publish();
        session.assertBroken("queue 0, head 0: the list");
    }

    @Test
    void breaksOnListWithoutEndOfNoBytes() throws IOException {
        for (int i = 0; i < SIZE; i++) {
            ring.descriptor(session.out(0).withFlags(VIRTQ_DESC_F_NEXT), 0);
        }
        session.queue().publish();
        session.assertBroken("queue 0, head 0: the list");
    }

    /** VIRTIO 1.3, 2.8.7: flags but WRITE mean nothing in a table, so this one is no table. */
    @Test
    void takesTableInATableForABuffer() throws IOException {
        Element inner = ring.table(session.allocate(48), read());
        Element outer =
                ring.table(
                        session.allocate(64),
                        session.readHeader(),
                        inner.withFlags(2).ofLength(48),
                        session.in(464),
                        session.status());
        assertThat(session.run(outer)).isEqualTo(VIRTIO_BLK_S_OK);
    }

    /** The device's place in the ring does not depend on what the driver says of the past. */
    @Test
    void goesOnWhereItWasWhenUsedDescriptorsAreRewritten() throws IOException {
        assertThat(session.run(read())).isEqualTo(VIRTIO_BLK_S_OK);
        ring.memory().descriptorArea().memory().asSlice(0, 48).fill((byte) 0xff);
        assertThat(session.statusWritten()).isEqualTo(VIRTIO_BLK_S_OK);
        int before = ring.used();
        session.offer(read());
        session.queue().awaitUsed(before + 1);
        assertThat(session.statusWritten()).isEqualTo(VIRTIO_BLK_S_OK);
    }

    /** Each round of the ring turns the wrap counter; a driver that forgets is not heard. */
    @Test
    void survivesManyRoundsWithEverySecondOneWrong() throws IOException {
        for (int i = 0; i < 4 * SIZE; i++) {
            assertThat(session.run(read())).isEqualTo(VIRTIO_BLK_S_OK);
        }
        ring.descriptor(session.readHeader(), 0, ring.unavailableFlags());
        session.queue().publish();
        HostileQueue other = session.start(1);
        assertThat(session.run(other, read())).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(session.queue().isBroken()).isFalse();
    }
}
