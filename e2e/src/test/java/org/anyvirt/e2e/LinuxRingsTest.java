package org.anyvirt.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.anyvirt.e2e.guest.Backend;
import org.anyvirt.e2e.guest.Backends;
import org.anyvirt.e2e.guest.Fio;
import org.anyvirt.e2e.guest.Guest;
import org.anyvirt.e2e.guest.Machine;
import org.anyvirt.e2e.guest.Places;
import org.anyvirt.e2e.guest.RealGuest;
import org.anyvirt.e2e.guest.Rings;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** fio, which checks every byte, in a Linux guest over every shape of ring. */
@RealGuest
class LinuxRingsTest {
    private static final int MIB = 1 << 20;

    static List<Arguments> shapes() {
        return List.of(
                Arguments.of(new Rings(4, true, true, true), true),
                Arguments.of(new Rings(4, false, true, true), false),
                Arguments.of(new Rings(1, true, false, false), false),
                Arguments.of(new Rings(1, false, false, false), true));
    }

    static Stream<Arguments> everyShape() {
        return Rings.all().stream()
                .flatMap(
                        rings -> Stream.of(true, false).map(direct -> Arguments.of(rings, direct)));
    }

    @ParameterizedTest(name = "{0}, direct={1}")
    @MethodSource("shapes")
    void everyByteIsRight(Rings rings, boolean direct, TestInfo test) throws IOException {
        verify(rings, direct, test);
    }

    @Tag("matrix")
    @ParameterizedTest(name = "{0}, direct={1}")
    @MethodSource("everyShape")
    void everyByteIsRightOverEveryShape(Rings rings, boolean direct) throws IOException {
        verify(rings, direct, null);
    }

    private static void verify(Rings rings, boolean direct, TestInfo test) throws IOException {
        assumeThat(Backends.isControl() && rings.packed()).as("packed, by a peer").isFalse();
        String name = "rings-" + rings + (direct ? "-direct" : "-buffered");
        Path file = Places.logs().resolve(name + ".img");
        Files.deleteIfExists(file);
        Backend.Disk disk = Backend.Disk.of(file, 64 * MIB).withDirect(direct).withQueues(4);
        Machine machine = new Machine(name).linux(true).cpus(rings.queues());
        try (Backend backend = Backends.start(name, disk);
                Guest guest = machine.disk(backend.socket(), rings.properties()).bootLinux()) {
            assertThat(Rings.chosen(guest.features("vda"))).isEqualTo(rings.expected());
            Fio.verify(guest, "vda", rings.queues(), 64 / 4);
            assertThat(interrupts(guest)).hasSize(rings.queues()).allMatch(count -> count > 0);
            if (test != null) {
                record(test, guest, rings, direct);
            }
        }
        Files.delete(file);
    }

    private static void record(TestInfo test, Guest guest, Rings rings, boolean direct)
            throws IOException {
        Witness fio = Witness.fio(guest);
        fio.saw(test, rings.packed() ? "VIRTIO_F_RING_PACKED" : "split virtqueue");
        fio.saw(test, "store file: direct=" + (direct ? "on" : "off"));
        if (rings.indirect()) {
            fio.saw(test, "VIRTIO_F_INDIRECT_DESC");
        }
        if (rings.eventIndex()) {
            fio.saw(test, "VIRTIO_F_EVENT_IDX");
        }
        if (rings.queues() > 1) {
            fio.saw(test, "VIRTIO_BLK_F_MQ");
        }
        Witness.qemu("vhost-user-blk-pci").sawMessages(test, guest);
    }

    /** Used buffer notifications that each of the disk's queues has had. */
    private static List<Long> interrupts(Guest guest) throws IOException {
        String sums =
                """
                awk '/virtio0-req/ { n = 0; for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i; print n }' \
                    /proc/interrupts
                """;
        return guest.run(sums.strip()).lines().map(Long::valueOf).toList();
    }
}
