package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_S_OK;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_INDIRECT;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_NEXT;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What only a split ring can have wrong (VIRTIO 1.3, 2.7). */
@Timeout(60)
class HostileSplitRingTest {
    @RegisterExtension static final ServedDisks DISKS = new ServedDisks("split", "disk");

    private static final int SIZE = HostileQueue.SIZE;

    private HostileSession session;
    private RawSplitRing ring;

    @BeforeEach
    void open() throws IOException {
        session = HostileSession.open(DISKS, "disk", Kind.SPLIT);
        ring = session.split();
    }

    @AfterEach
    void close() {
        session.close();
    }

    private Element[] read() {
        return new Element[] {session.readHeader(), session.in(512), session.status()};
    }

    /** Writes a good read to descriptors 0, 1 and 2, and makes nothing available. */
    private void describeRead() {
        ring.descriptor(0, session.readHeader().withFlags(VIRTQ_DESC_F_NEXT), 1);
        ring.descriptor(1, session.in(512).withFlags(VIRTQ_DESC_F_NEXT), 2);
        ring.descriptor(2, session.status(), 0);
    }

    private void publishHead(int head) throws IOException {
        ring.addHead(head);
        session.queue().publish();
    }

    @ParameterizedTest
    @ValueSource(ints = {SIZE + 1, 0x7fff, 0x8000, 0xffff})
    void breaksOnAvailableIndexThatJumps(int index) throws IOException {
        describeRead();
        ring.addHead(0);
        ring.publish(index);
        session.queue().vring().kick().signal();
        session.assertBroken("queue 0: the available index jumped from 0 to " + index);
    }

    @Test
    void breaksOnAvailableIndexThatGoesBack() throws IOException {
        assertThat(session.run(read())).isEqualTo(VIRTIO_BLK_S_OK);
        ring.publish(0);
        session.queue().vring().kick().signal();
        session.assertBroken("queue 0: the available index jumped from 1 to 0");
    }

    @ParameterizedTest
    @ValueSource(ints = {SIZE, 256, 0x7fff, 0xffff})
    void breaksOnHeadOutOfRange(int head) throws IOException {
        describeRead();
        publishHead(head);
        session.assertBroken("queue 0, head " + head + ": ", "size of " + SIZE);
    }

    @ParameterizedTest
    @ValueSource(ints = {SIZE, 0xffff})
    void breaksOnNextOutOfRange(int next) throws IOException {
        describeRead();
        ring.descriptor(0, session.readHeader().withFlags(VIRTQ_DESC_F_NEXT), next);
        publishHead(0);
        session.assertBroken("queue 0, head 0: next is " + next);
    }

    /** CVE-2019-9547. */
    @Test
    void breaksOnDescriptorThatIsItsOwnNext() throws IOException {
        ring.descriptor(3, session.readHeader().withFlags(VIRTQ_DESC_F_NEXT), 3);
        publishHead(3);
        session.assertBroken("queue 0, head 3: a loop");
    }

    @Test
    void breaksOnLoopOfAllDescriptors() throws IOException {
        for (int i = 0; i < SIZE; i++) {
            ring.descriptor(i, session.out(16).withFlags(VIRTQ_DESC_F_NEXT), (i + 1) % SIZE);
        }
        publishHead(5);
        session.assertBroken("queue 0, head 5: a loop");
    }

    /** Elements of no bytes are nothing, but a loop of them has no end all the same. */
    @Test
    void breaksOnLoopOfNoBytes() throws IOException {
        ring.descriptor(0, session.out(0).withFlags(VIRTQ_DESC_F_NEXT), 1);
        ring.descriptor(1, session.out(0).withFlags(VIRTQ_DESC_F_NEXT), 0);
        publishHead(0);
        session.assertBroken("queue 0, head 0: a loop");
    }

    /** CVE-2016-5403, CVE-2026-45782. What was taken before is served. */
    @Test
    void breaksOnHeadThatIsInFlight() throws IOException {
        describeRead();
        ring.addHead(0);
        ring.addHead(0);
        session.queue().publish();
        session.assertBroken("queue 0, head 0: the head is in flight already");
        session.device().stop(0);
        assertThat(ring.used()).isEqualTo(1);
        assertThat(session.statusWritten()).isEqualTo(VIRTIO_BLK_S_OK);
    }

    @Test
    void breaksOnOneHeadInEveryEntry() throws IOException {
        describeRead();
        for (int i = 0; i < SIZE; i++) {
            ring.addHead(0);
        }
        session.queue().publish();
        session.assertBroken("queue 0, head 0: the head is in flight already");
    }

    /** Two chains with one tail are one memory twice, which is the driver's affair. */
    @Test
    void servesChainsThatShareDescriptors() throws IOException {
        describeRead();
        ring.descriptor(3, session.readHeader().withFlags(VIRTQ_DESC_F_NEXT), 1);
        ring.addHead(0);
        ring.addHead(3);
        session.queue().publish();
        session.queue().awaitUsed(2);
        assertThat(session.statusWritten()).isEqualTo(VIRTIO_BLK_S_OK);
    }

    /** VIRTIO 1.3, 2.7.5.3.1. */
    @Test
    void breaksOnTableInATable() throws IOException {
        Element inner = ring.table(session.allocate(48), read());
        Element outer = ring.table(session.allocate(48), session.readHeader(), inner);
        session.offer(outer);
        session.assertBroken("queue 0, head 0: entry 1 of the indirect table is indirect itself");
    }

    @Test
    void breaksOnTableThatIsItsOwnEntry() throws IOException {
        SharedRange range = session.allocate(16);
        Element itself = Element.table(range);
        RawRing.put(range.memory(), 0, itself, VIRTQ_DESC_F_INDIRECT, 0);
        session.offer(itself);
        session.assertBroken("queue 0, head 0: entry 0 of the indirect table is indirect itself");
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 0xffff})
    void breaksOnNextOutsideTheTable(int next) throws IOException {
        SharedRange range = session.allocate(48);
        Element table = ring.table(range, read());
        RawRing.put(range.memory(), 1, session.in(512), 3, next);
        session.offer(table);
        session.assertBroken("queue 0, head 0: next is " + next + " in a table of 3 descriptors");
    }

    @Test
    void breaksOnLoopInATable() throws IOException {
        SharedRange range = session.allocate(48);
        Element table = ring.table(range, read());
        RawRing.put(range.memory(), 2, session.status(), 3, 1);
        session.offer(table);
        session.assertBroken("queue 0, head 0: a loop");
    }

    /** VIRTIO 1.3, 2.7.5.3.1: a device has to take those. */
    @Test
    void servesTableAfterOtherDescriptors() throws IOException {
        Element rest = ring.table(session.allocate(32), session.in(512), session.status());
        assertThat(session.run(session.readHeader(), rest)).isEqualTo(VIRTIO_BLK_S_OK);
    }
}
