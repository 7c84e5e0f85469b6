package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_S_OK;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Descriptor chains that a driver must not make, and odd ones that it may, in both kinds of ring.
 * CVE numbers name what went wrong elsewhere.
 */
@Timeout(60)
class HostileDriverTest {
    @RegisterExtension static final ServedDisks DISKS = new ServedDisks("driver", "disk");

    private static HostileSession open(Kind kind) throws IOException {
        return HostileSession.open(DISKS, "disk", kind);
    }

    private static void breaks(Kind kind, String value, Attack attack) throws IOException {
        attack.breaksRing(DISKS, kind, value);
    }

    private static void breaksRequest(Kind kind, String value, Attack attack) throws IOException {
        attack.breaksRequest(DISKS, kind, value);
    }

    private static Element[] chain(Element... elements) {
        return elements;
    }

    @EachRing
    void breaksOnReadableAfterWritable(Kind kind) throws IOException {
        breaks(
                kind,
                "device-readable buffer after a device-writable one",
                s -> chain(s.readHeader(), s.in(512), s.out(512), null));
    }

    @EachRing
    void breaksOnUnknownDescriptorFlags(Kind kind) throws IOException {
        breaks(
                kind,
                "unknown descriptor flags 0x",
                s -> chain(s.readHeader(), s.in(512).withFlags(1 << 3), null));
    }

    @EachRing
    void breaksOnAddressOutsideMemory(Kind kind) throws IOException {
        breaks(
                kind,
                "[0x7ffffffff000, +0x200)",
                s -> chain(s.readHeader(), s.in(512).at(0x7fff_ffff_f000L), null));
    }

    @EachRing
    void breaksOnAddressInTheHole(Kind kind) throws IOException {
        breaks(
                kind,
                "[0x80000000, +0x200)",
                s -> chain(s.writeHeader(), s.out(512).at(0x8000_0000L), null));
    }

    @EachRing
    void breaksOnAddressBelowMemory(Kind kind) throws IOException {
        breaks(kind, "[0x0, +0x200)", s -> chain(s.readHeader(), s.in(512).at(0), null));
    }

    /** The monitor's own addresses are for the places of rings, not for buffers. */
    @EachRing
    void breaksOnUserAddressInDescriptor(Kind kind) throws IOException {
        breaks(
                kind,
                "is not shared memory",
                s -> {
                    long user = s.memory().userAddress(s.data().address());
                    return chain(s.readHeader(), s.in(512).at(user), null);
                });
    }

    @EachRing
    void breaksOnRangeThatWraps(Kind kind) throws IOException {
        breaks(
                kind,
                "[0xfffffffffffffe00, +0x400)",
                s -> chain(s.readHeader(), s.in(1024).at(-512), null));
    }

    /** CVE-2018-1059, CVE-2023-41051. */
    @EachRing
    void breaksOnRangeThatCrossesTheEndOfARegion(Kind kind) throws IOException {
        long end = HostileSession.LOW + HostileSession.REGION_SIZE;
        breaks(
                kind,
                "[0x%x, +0x200)".formatted(end - 256),
                s -> chain(s.readHeader(), s.in(512).at(end - 256), null));
    }

    /** CVE-2016-7422. */
    @EachRing
    void breaksOnHugeLength(Kind kind) throws IOException {
        breaks(
                kind,
                "+0xffffff00)",
                s -> chain(s.readHeader(), s.in(512).ofLength(0xffff_ff00L), null));
    }

    @EachRing
    void breaksOnHugeLengths(Kind kind) throws IOException {
        breaks(
                kind,
                "bytes in the chain, more than 2^32",
                s -> {
                    Element huge = s.out(512).ofLength(0xffff_ffffL);
                    return chain(s.writeHeader(), huge, huge, null);
                });
    }

    /** CVE-2022-2132: a header needs its bytes, and not one descriptor more or less. */
    @EachRing
    void breaksOnHeaderThatIsTooShort(Kind kind) throws IOException {
        breaksRequest(kind, "of 15 device-readable", s -> chain(s.readHeader().ofLength(15), null));
    }

    @EachRing
    void breaksOnRequestWithoutHeader(Kind kind) throws IOException {
        breaksRequest(kind, "of 0 device-readable", s -> chain(s.in(512)));
    }

    @EachRing
    void breaksOnRequestWithoutStatus(Kind kind) throws IOException {
        breaksRequest(kind, "and 0 device-writable", s -> chain(s.writeHeader(), s.out(512)));
    }

    @EachRing
    void breaksOnStatusOfNoBytes(Kind kind) throws IOException {
        breaksRequest(
                kind,
                "and 0 device-writable",
                s -> chain(s.writeHeader(), s.out(512), s.status().ofLength(0)));
    }

    @EachRing
    void breaksOnChainOfNothing(Kind kind) throws IOException {
        breaksRequest(kind, "of 0 device-readable", s -> chain(s.out(0)));
    }

    /** CVE-2020-10725: no bytes, so no address, however bad, is looked at. */
    @EachRing
    void servesElementsOfNoBytesWhereverTheyPoint(Kind kind) throws IOException {
        try (HostileSession session = open(kind)) {
            int status =
                    session.run(
                            session.out(0).at(0xdead_beefL),
                            session.readHeader(),
                            session.out(0).at(-1),
                            session.in(0).at(0x7fff_ffff_ffffL),
                            session.in(512),
                            session.in(0).at(HostileSession.LOW - 1),
                            session.status());
            assertThat(status).isEqualTo(VIRTIO_BLK_S_OK);
        }
    }

    /** VIRTIO 1.3, 2.7.4.1; CVE-2022-2132. */
    @EachRing
    void servesHeaderInPiecesOfOneByte(Kind kind) throws IOException {
        try (HostileSession session = open(kind)) {
            Element[] entries = new Element[18];
            Element header = session.readHeader();
            for (int i = 0; i < 16; i++) {
                entries[i] = header.at(header.address() + i).ofLength(1);
            }
            entries[16] = session.in(1024);
            entries[17] = session.status();
            Element table = session.ring().table(session.allocate(18 * 16), entries);
            assertThat(session.run(table)).isEqualTo(VIRTIO_BLK_S_OK);
        }
    }

    /** CVE-2018-1059: neighbours for the guest, far apart where they are mapped. */
    @EachRing
    void servesRangeAcrossNeighbouringRegions(Kind kind) throws IOException {
        try (HostileSession session = open(kind)) {
            MemorySegment below =
                    session.memory().at(HostileSession.ABOVE_HIGH - 512, 512).memory();
            MemorySegment above = session.memory().at(HostileSession.ABOVE_HIGH, 512).memory();
            below.fill((byte) 1);
            above.fill((byte) 2);
            Element both = new Element(HostileSession.ABOVE_HIGH - 512, 1024, 0);
            int written = session.run(session.writeHeader(), both, session.status());
            assertThat(written).isEqualTo(VIRTIO_BLK_S_OK);
            int read = session.run(session.readHeader(), session.in(1024), session.status());
            assertThat(read).isEqualTo(VIRTIO_BLK_S_OK);
            MemorySegment data = session.data().memory();
            assertThat(data.asSlice(0, 512).mismatch(below)).as("below").isEqualTo(-1);
            assertThat(data.asSlice(512, 512).mismatch(above)).as("above").isEqualTo(-1);
        }
    }

    /** CVE-2024-3446: what the device writes is what it is about to read. */
    @EachRing
    void survivesBuffersThatAreTheRing(Kind kind) throws IOException {
        try (HostileSession session = open(kind)) {
            SharedRange[] parts = {
                session.ring().memory().descriptorArea(),
                session.ring().memory().driverArea(),
                session.ring().memory().deviceArea()
            };
            for (SharedRange part : parts) {
                Element page = new Element(part.address() & -512, 512, 2);
                session.ring().add(session.header(0, 0), page, session.status());
            }
            session.queue().publish();
            // Whatever the ring says now: the device lives with it, and so does the next session.
            session.device().frontend().getVringBase(0);
        }
    }

    /** Broken is broken until the queue is reset, and only that queue is. */
    @EachRing
    void breaksOneQueueUntilItsReset(Kind kind) throws IOException {
        try (HostileSession session = open(kind)) {
            HostileQueue other = session.start(1);
            session.offer(session.in(512));
            session.assertBroken("of 0 device-readable");
            int used = session.ring().used();
            Element[] read = {session.readHeader(), session.in(512), session.status()};
            session.offer(read);
            // Both queues have the same runner: when it has served one, it has looked at both.
            assertThat(session.run(other, read)).isEqualTo(VIRTIO_BLK_S_OK);
            assertThat(session.ring().used()).isEqualTo(used);
            session.device().stop(0);
            HostileQueue again = session.start(0);
            session.status();
            assertThat(session.run(again, read)).isEqualTo(VIRTIO_BLK_S_OK);
        }
    }

    /** Whatever a request reads, it reads from the disk and not from elsewhere in the daemon. */
    @EachRing
    void showsNothingOfTheDaemonInUnwrittenMemory(Kind kind) throws IOException {
        try (HostileSession session = open(kind)) {
            session.data().memory().fill((byte) 0x5a);
            long untouched = ServedDisks.CAPACITY / 512 - 64;
            Element header = session.header(0, untouched);
            int status = session.run(header, session.in(32 << 10), session.status());
            assertThat(status).isEqualTo(VIRTIO_BLK_S_OK);
            for (long i = 0; i < 32 << 10; i++) {
                assertThat(session.data().memory().get(ValueLayout.JAVA_BYTE, i)).isZero();
            }
        }
    }
}
