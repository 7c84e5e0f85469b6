package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_S_IOERR;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_INDIRECT;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_NEXT;
import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_INDIRECT_DESC;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Arrays;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Indirect tables that a driver must not make, in both kinds of ring. */
@Timeout(60)
class HostileTableTest {
    @RegisterExtension static final ServedDisks DISKS = new ServedDisks("table", "disk");

    private static void breaks(Kind kind, String value, Attack attack) throws IOException {
        attack.breaksRing(DISKS, kind, value);
    }

    private static Element[] chain(Element... elements) {
        return elements;
    }

    @EachRing
    void breaksOnIndirectTableThatWasNotNegotiated(Kind kind) throws IOException {
        try (HostileSession session =
                HostileSession.open(
                        DISKS, "disk", kind, kind.features().without(VIRTIO_F_INDIRECT_DESC))) {
            session.offer(readTable(session, 512));
            session.assertBroken("head 0", "without VIRTIO_F_INDIRECT_DESC");
        }
    }

    /** A read, all of it in a table. */
    private static Element readTable(HostileSession session, int bytes) {
        return session.ring()
                .table(
                        session.allocate(48),
                        session.readHeader(),
                        session.in(bytes),
                        session.status());
    }

    @EachRing
    void breaksOnIndirectDescriptorWithNext(Kind kind) throws IOException {
        breaks(
                kind,
                "an indirect descriptor with a next one",
                s -> chain(readTable(s, 512).withFlags(VIRTQ_DESC_F_NEXT), null));
    }

    @EachRing
    void breaksOnEmptyTable(Kind kind) throws IOException {
        breaks(kind, "table of 0 bytes", s -> chain(readTable(s, 512).ofLength(0)));
    }

    @EachRing
    void breaksOnRaggedTable(Kind kind) throws IOException {
        breaks(kind, "table of 47 bytes", s -> chain(readTable(s, 512).ofLength(47)));
    }

    @EachRing
    void breaksOnOversizedTable(Kind kind) throws IOException {
        breaks(
                kind,
                "table of 262144 descriptors",
                s -> chain(readTable(s, 512).ofLength(16L << 18)));
    }

    @EachRing
    void breaksOnTheGreatestTable(Kind kind) throws IOException {
        breaks(
                kind,
                "table of 268435455 descriptors",
                s -> chain(readTable(s, 512).ofLength(0xffff_fff0L)));
    }

    @EachRing
    void breaksOnTableOutsideMemory(Kind kind) throws IOException {
        breaks(kind, "[0x10, +0x30)", s -> chain(readTable(s, 512).at(0x10)));
    }

    @EachRing
    void breaksOnTableThatCrossesTheEndOfARegion(Kind kind) throws IOException {
        long end = HostileSession.LOW + HostileSession.REGION_SIZE;
        breaks(kind, "+0x30)", s -> chain(readTable(s, 512).at(end - 32)));
    }

    @EachRing
    void breaksOnTableWithAnAddressOutsideMemory(Kind kind) throws IOException {
        breaks(
                kind,
                "[0xdead0000, +0x200)",
                s ->
                        chain(
                                s.ring()
                                        .table(
                                                s.allocate(48),
                                                s.readHeader(),
                                                s.in(512).at(0xdead_0000L),
                                                s.status())));
    }

    @EachRing
    void breaksOnIndirectFlagOnARequestsPart(Kind kind) throws IOException {
        breaks(
                kind,
                "table of 513 bytes",
                s -> chain(s.readHeader(), s.in(513).withFlags(VIRTQ_DESC_F_INDIRECT)));
    }

    @EachRing
    void breaksOnMoreThan4GiB(Kind kind) throws IOException {
        int pieces = 600;
        breaks(
                kind,
                "in the chain, more than 2^32",
                s -> {
                    Element[] entries = new Element[pieces];
                    Element region =
                            new Element(HostileSession.HIGH, HostileSession.REGION_SIZE, 0);
                    Arrays.fill(entries, region);
                    entries[0] = s.writeHeader();
                    return chain(s.ring().table(s.allocate(pieces * 16), entries));
                });
    }

    /** As much as a chain may have, and more than the disk has. */
    @EachRing
    void refusesTheLongestChainByItsStatus(Kind kind) throws IOException {
        int pieces = 512;
        try (HostileSession session = HostileSession.open(DISKS, "disk", kind)) {
            Element[] entries = new Element[pieces + 1];
            // 511 * 8 MiB and a last piece make 2^32, the header's 16 bytes and the status
            // included.
            Arrays.fill(entries, new Element(HostileSession.HIGH, HostileSession.REGION_SIZE, 0));
            entries[0] = session.writeHeader();
            entries[pieces - 1] = entries[pieces - 1].ofLength(HostileSession.REGION_SIZE - 17);
            entries[pieces] = session.status();
            Element table = session.ring().table(session.allocate((pieces + 1) * 16), entries);
            assertThat(session.run(table)).isEqualTo(VIRTIO_BLK_S_IOERR);
        }
    }
}
