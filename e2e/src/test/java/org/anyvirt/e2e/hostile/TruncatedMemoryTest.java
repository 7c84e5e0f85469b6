package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_S_IOERR;
import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_S_OK;
import static org.anyvirt.virtio.spec.PackedRingLayout.EVENT_OFF_MASK;
import static org.anyvirt.virtio.spec.PackedRingLayout.EVENT_WRAP_SHIFT;
import static org.anyvirt.virtio.spec.PackedRingLayout.VIRTQ_DESC_F_AVAIL;
import static org.anyvirt.virtio.spec.PackedRingLayout.VIRTQ_DESC_F_USED;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.List;
import org.anyvirt.driver.block.BlockDriver;
import org.anyvirt.driver.block.BlockLoad;
import org.anyvirt.driver.block.BlockOptions;
import org.anyvirt.driver.block.BlockRequests;
import org.anyvirt.driver.block.LoadPlan;
import org.anyvirt.driver.block.LoadResult;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.memory.GuestMemory.Placement;
import org.anyvirt.driver.memory.GuestMemory.Region;
import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.driver.queue.DriverQueue;
import org.anyvirt.driver.vhostuser.BackendException;
import org.anyvirt.driver.vhostuser.VhostUserDevice;
import org.anyvirt.driver.vhostuser.VhostUserOptions;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.anyvirt.linux.OpenFile;
import org.anyvirt.virtio.spec.FeatureBits;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A frontend truncates the memory that it shares, and the pages are gone from under the daemon.
 * Only its own device may suffer: a neighbour's in the same process is served all the time, and the
 * next frontend afterwards.
 *
 * <p>In methods that are not compiled yet the fault shows where it happens; in compiled ones,
 * later. So the first tests come before any method has run often, and the others after millions of
 * requests.
 */
@Timeout(120)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class TruncatedMemoryTest {
    @RegisterExtension
    static final ServedDisks DISKS =
            new ServedDisks("truncated", "left", "right", "file").withFile("file");

    private static final long SPARE = 1L << 40;
    private static final int REQUESTS = 2_000_000;
    private static final int DEPTH = 32;
    private static final int BUFFER = 64 << 10;
    private static final String GONE = "its memory was taken away by the peer that shared it";

    private Neighbour neighbour;

    /** What goes. */
    private enum Part {
        /** Descriptors and used ring; headers. */
        RING,
        /** Available ring, indirect tables and data; the driver's part of a packed ring. */
        OTHER_REGION,
        /** Buffers, while rings and headers stay. */
        DATA
    }

    @BeforeEach
    void startNeighbour() throws IOException {
        neighbour = new Neighbour(DISKS.socket("right"));
        neighbour.assertGoesOn();
    }

    @AfterEach
    void stopNeighbour() throws Exception {
        try {
            neighbour.assertGoesOn();
        } finally {
            neighbour.stop();
        }
    }

    /**
     * Nothing has looked at the memory yet when it goes; starting the ring is the first to look.
     */
    @Order(1)
    @EachRing
    void survivesMemoryThatIsGoneBeforeTheRingStarts(Kind kind) throws IOException {
        try (HostileSession session = HostileSession.open(DISKS, "left", kind)) {
            int base = session.device().frontend().getVringBase(0);
            truncateAll(session.memory());
            session.device().frontend().setVringBase(0, base);
            try {
                session.device().frontend().setVringKick(0, session.queue().vring().kick().fd());
                session.assertBroken(GONE);
            } catch (BackendException refused) {
                DISKS.awaitLogged("left: refused: SET_VRING_KICK: vring 0: ", "memory is gone");
            }
        }
    }

    @Order(2)
    @EachRing
    void survivesMemoryThatIsGoneBeforeTheFirstRequest(Kind kind) throws IOException {
        try (HostileSession session = HostileSession.open(DISKS, "left", kind)) {
            session.ring().add(session.readHeader(), session.in(512), session.status());
            session.ring().publish();
            truncateAll(session.memory());
            session.queue().vring().kick().signal();
            session.assertBroken(GONE);
        }
    }

    @Order(3)
    @EachRing
    void survivesMemoryThatIsGoneAfterAFewRequests(Kind kind) throws IOException {
        try (HostileSession session = HostileSession.open(DISKS, "left", kind)) {
            for (int i = 0; i < 8; i++) {
                session.run(session.readHeader(), session.in(512), session.status());
            }
            session.ring().add(session.readHeader(), session.in(512), session.status());
            session.ring().publish();
            truncateAll(session.memory());
            session.queue().vring().kick().signal();
            session.assertBroken(GONE);
        }
    }

    private static void truncateAll(GuestMemory memory) throws IOException {
        for (Region region : memory.regions()) {
            OpenFile.truncate(region.fd(), 0);
        }
    }

    static List<Arguments> partsOfEachRing() {
        return List.of(Kind.values()).stream()
                .flatMap(kind ->
                        List.of(Part.values()).stream().map(part -> Arguments.of(kind, part)))
                .toList();
    }

    @Order(4)
    @ParameterizedTest(name = "{0}, {1}")
    @MethodSource("partsOfEachRing")
    void survivesMemoryThatGoesUnderRequestsOfCompiledCode(Kind kind, Part part)
            throws IOException {
        try (BlockDriver driver = start(kind)) {
            BlockRequests requests = driver.queue(0);
            LoadPlan plan =
                    LoadPlan.random(50, 512, DEPTH, 4 << 20)
                            .withRange(HonestSession.TARGET, 4 << 20)
                            .withRequests(REQUESTS);
            LoadResult result = new BlockLoad(plan, requests).run();
            assertThat(result.firstProblem()).isNull();
            assertThat(result.requests()).isGreaterThanOrEqualTo(REQUESTS);

            neighbour.assertGoesOn();
            VhostUserDevice device = (VhostUserDevice) driver.device();
            startReads(requests);
            truncate(device, part, requests);
            // What is gone must not be looked at from here, or it is this process that faults.
            if (part == Part.DATA) {
                startReads(requests);
            } else if (part == Part.OTHER_REGION && kind == Kind.PACKED) {
                offer(requests.queue(), requests.queue().memory().driverArea().address());
            }
            device.vring(0).kick().signal();
            DISKS.awaitLogged("left queue 0: ", GONE);
            neighbour.assertGoesOn();
        }
    }

    /** Enough to copy that the daemon is at it for a while. */
    private static void startReads(BlockRequests requests) {
        for (int i = 0; i < DEPTH / 2; i++) {
            requests.read(requests.acquire(), HonestSession.TARGET / 512, BUFFER);
        }
        requests.submit();
    }

    /** The next descriptor of a packed ring, written beside its queue: a buffer at this address. */
    private static void offer(DriverQueue queue, long address) {
        int next = queue.position().available();
        boolean wrap = next >>> EVENT_WRAP_SHIFT != 0;
        int flags = wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
        SharedRange ring = queue.memory().descriptorArea();
        int unusedId = queue.memory().size() - 1;
        Element there = new Element(address, 4, 0);
        RawRing.put(ring.memory(), next & EVENT_OFF_MASK, there, unusedId, flags);
    }

    private static BlockDriver start(Kind kind) throws IOException {
        VhostUserDevice device =
                VhostUserDevice.connect(
                        DISKS.socket("left"),
                        GuestMemory.ofSize(16 << 20),
                        VhostUserOptions.DEFAULT);
        BlockOptions options = BlockOptions.defaults().withDepth(DEPTH).withBuffers(BUFFER, BUFFER);
        return BlockDriver.start(
                device,
                kind == Kind.PACKED
                        ? options.withWanted(
                                BlockOptions.ALL.with(FeatureBits.VIRTIO_F_RING_PACKED))
                        : options);
    }

    private static void truncate(VhostUserDevice device, Part part, BlockRequests requests)
            throws IOException {
        long ring = requests.queue().memory().descriptorArea().address();
        for (Region region : device.memory().regions()) {
            boolean hasRing = region.contains(ring, 1);
            long data = requests.data().address() - region.memory().address();
            boolean hasData = data >= 0 && data < region.memory().byteSize();
            if (part == Part.DATA && hasData) {
                OpenFile.truncate(region.fd(), region.placement().mapOffset() + data);
            } else if (part != Part.DATA && hasRing == (part == Part.RING)) {
                OpenFile.truncate(region.fd(), 0);
            }
        }
    }

    /** The queue is broken until it is stopped, and no longer. */
    @Order(5)
    @EachRing
    void servesTheSameFrontendAgainWhenItsMemoryIsBack(Kind kind) throws IOException {
        try (HostileSession session = HostileSession.open(DISKS, "left", kind)) {
            truncateAll(session.memory());
            session.queue().vring().kick().signal();
            session.assertBroken(GONE);
            for (Region region : session.memory().regions()) {
                long size = region.placement().mapOffset() + region.placement().size();
                OpenFile.truncate(region.fd(), size);
            }
            session.device().stop(0);
            HostileQueue again = session.start(0);
            Element[] read = {session.readHeader(), session.in(512), session.status()};
            assertThat(session.run(again, read)).isEqualTo(VIRTIO_BLK_S_OK);
        }
    }

    /** The kernel moves the data of a file: it finds nothing there, and that request fails. */
    @Order(6)
    @EachRing
    void failsRequestsOfAFileWhoseBuffersAreGone(Kind kind) throws IOException {
        try (HostileSession session = HostileSession.open(DISKS, "file", kind)) {
            Region region = session.memory().add(new Placement(SPARE, SPARE, BUFFER, 0));
            session.device().frontend().addMemReg(VhostUserDevice.message(region), region.fd());
            OpenFile.truncate(region.fd(), 0);
            Element there = session.in(BUFFER).at(SPARE);
            assertThat(session.run(session.readHeader(), there, session.status()))
                    .isEqualTo(VIRTIO_BLK_S_IOERR);
            there = session.out(BUFFER).at(SPARE);
            assertThat(session.run(session.writeHeader(), there, session.status()))
                    .isEqualTo(VIRTIO_BLK_S_IOERR);
            DISKS.awaitLogged("file", "queue 0", "EFAULT");
            assertThat(session.run(session.readHeader(), session.in(512), session.status()))
                    .isEqualTo(VIRTIO_BLK_S_OK);
        }
    }

    @Order(7)
    @EachRing
    void survivesMemoryThatGoesUnderRequestsOfAFile(Kind kind) throws IOException {
        for (int round = 0; round < 10; round++) {
            try (HostileSession session = HostileSession.open(DISKS, "file", kind)) {
                for (int i = 0; i < 5; i++) {
                    session.ring().add(session.readHeader(), session.in(BUFFER), session.status());
                }
                session.queue().publish();
                truncateAll(session.memory());
                session.queue().vring().kick().signal();
                session.assertBroken("file", GONE);
            }
        }
    }
}
