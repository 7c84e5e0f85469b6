package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_EVENT_IDX;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.memory.GuestMemory.Placement;
import org.anyvirt.driver.memory.GuestMemory.Region;
import org.anyvirt.driver.queue.QueueMemory;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.anyvirt.linux.OpenFile;
import org.anyvirt.virtio.spec.Features;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each thing that a device looks at is a file of its own, and goes alone: so each access of the
 * device to the driver's memory is the first to fault in one of these tests. What the JVM makes of
 * a fault depends on the very instruction, thus on what has been compiled, and how.
 */
@Timeout(60)
abstract class TruncatedPartContract {
    private static final String GONE = "its memory was taken away by the peer that shared it";
    private static final long REGION_SIZE = 256 << 10;

    private final ServedDisks disks;

    TruncatedPartContract(ServedDisks disks) {
        this.disks = disks;
    }

    private enum Part {
        HEADER,
        DATA,
        STATUS,
        DESCRIPTOR_AREA,
        DRIVER_AREA,
        DEVICE_AREA,
        TABLE;

        long address(HostileSession session, Element table) {
            QueueMemory ring = session.ring().memory();
            return switch (this) {
                case HEADER -> session.readHeader().address();
                case DATA -> session.data().address();
                case STATUS -> session.status().address();
                case DESCRIPTOR_AREA -> ring.descriptorArea().address();
                case DRIVER_AREA -> ring.driverArea().address();
                case DEVICE_AREA -> ring.deviceArea().address();
                case TABLE -> table.address();
            };
        }
    }

    static List<Arguments> everyPart() {
        return partsOfEachRing(List.of(Part.values()));
    }

    /** What a device looks at before it sleeps. */
    static List<Arguments> partsOfNotifications() {
        List<Arguments> all = partsOfEachRing(List.of(Part.DEVICE_AREA));
        all.add(Arguments.of(Kind.SPLIT, Kind.SPLIT.features(), Part.DRIVER_AREA));
        return all;
    }

    private static List<Arguments> partsOfEachRing(List<Part> parts) {
        List<Arguments> all = new ArrayList<>();
        for (Kind kind : Kind.values()) {
            Features features = kind.features();
            for (Part part : parts) {
                all.add(Arguments.of(kind, features, part));
                all.add(Arguments.of(kind, features.with(VIRTIO_F_EVENT_IDX), part));
            }
        }
        return all;
    }

    @ParameterizedTest(name = "{0} {1}, {2}")
    @MethodSource("everyPart")
    void breaksOnlyTheDeviceWhosePartIsGone(Kind kind, Features features, Part part)
            throws IOException {
        try (HostileSession session =
                HostileSession.open(disks, "disk", kind, features, aFileForEach())) {
            session.run(session.readHeader(), session.in(512), session.status());
            Element table =
                    session.ring()
                            .table(
                                    session.allocate(48),
                                    session.readHeader(),
                                    session.in(4096),
                                    session.status());
            session.ring().add(table);
            session.ring().publish();
            truncate(session, part.address(session, table));
            session.queue().vring().kick().signal();
            session.assertBroken(GONE);
        }
    }

    /** Nothing is to be done, and even so the device says what it wants to be told. */
    @ParameterizedTest(name = "{0} {1}, {2}")
    @MethodSource("partsOfNotifications")
    void breaksOnlyTheDeviceWhosePartIsGoneWhileItIsIdle(Kind kind, Features features, Part part)
            throws IOException {
        try (HostileSession session =
                HostileSession.open(disks, "disk", kind, features, aFileForEach())) {
            session.run(session.readHeader(), session.in(512), session.status());
            truncate(session, part.address(session, null));
            session.queue().vring().kick().signal();
            session.assertBroken(GONE);
        }
    }

    private static GuestMemory aFileForEach() throws IOException {
        List<Placement> placements = new ArrayList<>();
        for (int i = 0; i < Part.values().length; i++) {
            long at = i * 16 * REGION_SIZE;
            placements.add(new Placement(at, at, REGION_SIZE, 0));
        }
        return GuestMemory.of(placements);
    }

    private static void truncate(HostileSession session, long address) throws IOException {
        for (Region region : session.memory().regions()) {
            if (region.contains(address, 1)) {
                OpenFile.truncate(region.fd(), 0);
            }
        }
    }
}
