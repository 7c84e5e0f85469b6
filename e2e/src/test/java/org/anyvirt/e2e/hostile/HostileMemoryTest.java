package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_S_OK;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.memory.GuestMemory.Placement;
import org.anyvirt.driver.memory.GuestMemory.Region;
import org.anyvirt.driver.vhostuser.BackendException;
import org.anyvirt.driver.vhostuser.VhostUserDevice;
import org.anyvirt.driver.vhostuser.VhostUserFrontend;
import org.anyvirt.driver.vhostuser.VhostUserOptions;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.Memfd;
import org.anyvirt.transports.vhostuser.message.FrontendRequest;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.RegionDescription;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Memory that no frontend can share, and memory that goes while it is used. */
@Timeout(60)
class HostileMemoryTest {
    @RegisterExtension static final ServedDisks DISKS = new ServedDisks("memory", "disk");

    private static final String GUEST_MEMORY = "/memfd:guest-memory (deleted)";
    private static final long FILE_SIZE = 1 << 20;
    private static final long SPARE = 1L << 40;
    private static final int MANY = 500;

    private static VhostUserDevice connect() throws IOException {
        return VhostUserDevice.connect(
                DISKS.socket("disk"), GuestMemory.of(List.of()), VhostUserOptions.DEFAULT);
    }

    private static long hex(String text) {
        return Long.parseUnsignedLong(text, 16);
    }

    /** CVE-2020-10722: sizes, offsets and addresses whose sums overflow, or lie. */
    @ParameterizedTest
    @CsvSource({
        "0, 0, 0, 0",
        "0, ffffffffffffffff, 0, 0",
        "0, 8000000000000000, 0, 0",
        "0, 1000, 0, 7ffffffffffff000",
        "0, 1000, 0, fffffffffffff000",
        "0, 7ffffffffffff000, 0, 1000",
        "0, 2000, 0, ffffffffffffffff",
        "fffffffffffff000, 2000, 0, 0",
        "0, 2000, fffffffffffff000, 0",
        "0, 100001, 0, 0",
        "0, 100000, 0, 1000",
        "0, 1, 0, 100000",
        "0, 10000000000, 0, 0",
        "1008, 1000, 0, 0",
    })
    void refusesRegionThatIsNot(String guest, String size, String user, String offset)
            throws IOException {
        RegionDescription region =
                new RegionDescription(hex(guest), hex(size), hex(user), hex(offset));
        try (VhostUserDevice device = connect();
                Fd file = Memfd.create("guest-memory", FILE_SIZE)) {
            VhostUserFrontend frontend = device.frontend();
            assertThatThrownBy(() -> frontend.addMemReg(region, file))
                    .isInstanceOf(BackendException.class);
            Payload.MemoryTable table = new Payload.MemoryTable(List.of(region));
            assertThatThrownBy(() -> frontend.setMemTable(table, file))
                    .isInstanceOf(BackendException.class);
            DISKS.awaitLogged("disk: refused: ADD_MEM_REG: ", "0x" + size);
            DISKS.awaitLogged("disk: refused: SET_MEM_TABLE: ", "0x" + size);
            assertThat(DISKS.holdings().sharedBytes()).doesNotContainKey(GUEST_MEMORY);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0, 2000, 90000",
        "1000, 2000, 90000",
        "0, 1000, 90000",
        "1fff, 1000, 90000",
        "90000, 2000, 0",
        "90000, 2000, 1000",
        "90000, 1000, 1fff",
        "90000, 2000, fffffffffffff000",
    })
    void refusesRegionsThatOverlap(String guest, String size, String user) throws IOException {
        RegionDescription first = new RegionDescription(0, 0x2000, 0, 0);
        RegionDescription second =
                new RegionDescription(hex(guest), hex(size), hex(user), hex(guest) & 15);
        try (VhostUserDevice device = connect();
                Fd file = Memfd.create("guest-memory", FILE_SIZE)) {
            VhostUserFrontend frontend = device.frontend();
            frontend.addMemReg(first, file);
            assertThatThrownBy(() -> frontend.addMemReg(second, file))
                    .isInstanceOf(BackendException.class);
            Payload.MemoryTable table = new Payload.MemoryTable(List.of(first, second));
            assertThatThrownBy(() -> frontend.setMemTable(table, file, file))
                    .isInstanceOf(BackendException.class);
            assertThat(DISKS.holdings().sharedBytes()).containsEntry(GUEST_MEMORY, 0x2000L);
        }
    }

    @Test
    void refusesTheRegionAfterTheMost() throws IOException {
        try (VhostUserDevice device = connect();
                Fd file = Memfd.create("guest-memory", FILE_SIZE)) {
            VhostUserFrontend frontend = device.frontend();
            long slots = frontend.getMaxMemSlots();
            for (long i = 0; i < slots; i++) {
                frontend.addMemReg(slot(i), file);
            }
            assertThatThrownBy(() -> frontend.addMemReg(slot(slots), file))
                    .isInstanceOf(BackendException.class);
            for (long i = 0; i < slots; i++) {
                frontend.remMemReg(slot(i));
            }
            assertThatThrownBy(() -> frontend.remMemReg(slot(0)))
                    .isInstanceOf(BackendException.class);
            assertThat(DISKS.holdings().sharedBytes()).doesNotContainKey(GUEST_MEMORY);
        }
    }

    private static RegionDescription slot(long number) {
        return new RegionDescription(number * 0x10000, 0x1000, number * 0x100000, 0);
    }

    /** CVE-2019-14818, CVE-2022-0669: what comes again takes the place of what came before. */
    @Test
    void holdsNoMoreAfterManyTablesThanAfterOne() throws IOException {
        try (VhostUserDevice device = connect();
                Fd file = Memfd.create("guest-memory", FILE_SIZE)) {
            RegionDescription region = new RegionDescription(0, FILE_SIZE, 0, 0);
            Payload.MemoryTable table = new Payload.MemoryTable(List.of(region));
            device.frontend().setMemTable(table, file);
            ProcessHoldings one = DISKS.holdings();
            for (int i = 0; i < MANY; i++) {
                device.frontend().setMemTable(table, file);
            }
            assertThat(DISKS.holdings()).isEqualTo(one);
        }
    }

    /** CVE-2021-3748: memory goes while requests are in it, again and again. */
    @EachRing
    void survivesMemoryThatComesAndGoesUnderRequests(Kind kind) throws IOException {
        try (HostileSession session = HostileSession.open(DISKS, "disk", kind)) {
            VhostUserFrontend frontend = session.device().frontend();
            Placement place = new Placement(SPARE, SPARE, FILE_SIZE, 0);
            Region spare = session.memory().add(place);
            RegionDescription region = VhostUserDevice.message(spare);
            frontend.addMemReg(region, spare.fd());
            Element there = session.in(FILE_SIZE).at(SPARE);
            ProcessHoldings before = DISKS.holdings();
            for (int i = 0; i < 100; i++) {
                // What is taken in time is served, what is not breaks the queue, once.
                session.offer(session.readHeader(), there, session.status());
                if (i % 2 == 0) {
                    session.queue().awaitUsed(i + 1);
                }
                frontend.remMemReg(region);
                frontend.addMemReg(region, spare.fd());
                if (!session.queue().serves(i + 1)) {
                    break;
                }
            }
            assertThat(DISKS.holdings()).isEqualTo(before);
            frontend.remMemReg(region);
            session.offer(session.readHeader(), there, session.status());
            session.assertBroken("[0x%x, +0x100000) is not shared".formatted(SPARE));
        }
    }

    private static Region regionAt(HostileSession session, long guestAddress) {
        return session.memory().regions().stream()
                .filter(region -> region.contains(guestAddress, 1))
                .findFirst()
                .orElseThrow();
    }

    @EachRing
    void breaksQueueWhoseRingIsGoneWithTheMemory(Kind kind) throws IOException {
        try (HostileSession session = HostileSession.open(DISKS, "disk", kind)) {
            assertThat(session.run(session.readHeader(), session.in(512), session.status()))
                    .isEqualTo(VIRTIO_BLK_S_OK);
            long ring = session.ring().memory().descriptorArea().address();
            Region region = regionAt(session, ring);
            session.device().frontend().remMemReg(VhostUserDevice.message(region));
            session.assertBroken("its ring is gone with the memory");
            session.offer(session.readHeader(), session.in(512), session.status());
            session.device().frontend().getVringBase(0);
        }
    }

    @EachRing
    void breaksQueueWhoseRingIsNotInTheNextTable(Kind kind) throws IOException {
        try (HostileSession session = HostileSession.open(DISKS, "disk", kind)) {
            session.device().frontend().setMemTable(new Payload.MemoryTable(List.of()));
            session.assertBroken("its ring is gone with the memory");
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 1", "1, 0", "1, 2", "2, 1", "3, 8"})
    void refusesTableWithTooFewOrTooManyFiles(int regions, int files) throws IOException {
        try (VhostUserDevice device = connect();
                Fd file = Memfd.create("guest-memory", FILE_SIZE)) {
            RegionDescription[] all = new RegionDescription[regions];
            for (int i = 0; i < regions; i++) {
                all[i] = slot(i);
            }
            Fd[] descriptors = new Fd[files];
            Arrays.fill(descriptors, file);
            VhostUserFrontend frontend = device.frontend();
            Payload.MemoryTable table = new Payload.MemoryTable(List.of(all));
            assertThatThrownBy(() -> frontend.setMemTable(table, descriptors))
                    .isInstanceOf(BackendException.class);
            DISKS.awaitLogged("SET_MEM_TABLE", files + " descriptors for " + regions + " regions");
        }
    }

    @Test
    void refusesFilesThatAreNoMemory() throws IOException {
        try (VhostUserDevice device = connect();
                OddDescriptors odd = new OddDescriptors()) {
            VhostUserFrontend frontend = device.frontend();
            for (String name : odd.names()) {
                try {
                    frontend.request(
                            FrontendRequest.ADD_MEM_REG,
                            new Payload.SingleRegion(slot(1)),
                            odd.get(name));
                    assertThat(name).isIn("regular file", "memfd", "/dev/zero");
                    frontend.remMemReg(slot(1));
                } catch (BackendException refused) {
                    DISKS.awaitLogged("disk: refused: ADD_MEM_REG: ");
                }
            }
        }
    }
}
