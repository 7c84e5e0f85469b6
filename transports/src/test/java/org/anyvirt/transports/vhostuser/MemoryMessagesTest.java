package org.anyvirt.transports.vhostuser;

import static org.anyvirt.transports.vhostuser.message.FrontendRequest.*;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.anyvirt.linux.EventFd;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.Memfd;
import org.anyvirt.linux.OpenFile;
import org.anyvirt.transports.Await;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.Payload.SingleRegion;
import org.anyvirt.transports.vhostuser.message.RegionDescription;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MemoryMessagesTest extends BackendFixture {
    private static final long SIZE = TestRing.MEMORY_SIZE;

    @Test
    void memoryIsReplacedUnderALiveRing() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing();
                Fd more = Memfd.create("test-more", SIZE)) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            for (int i = 0; i < 50; i++) {
                ring.exchange(i);
                RegionDescription second =
                        new RegionDescription(i * SIZE, SIZE, 0x1000 + i * SIZE, 0);
                frontend.done(
                        SET_MEM_TABLE,
                        new Payload.MemoryTable(List.of(second, TestRing.region())),
                        more.number(),
                        ring.file.number());
            }
            assertThat(device.starts).containsExactly(0);
            assertThat(mappingsOf("test-guest")).isEqualTo(2); // the test's own, and the last
            assertThat(mappingsOf("test-more")).isEqualTo(1);
        }
    }

    @Test
    void replacedMemoryStaysMappedForWhatIsInFlight() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            device.hold = true;
            ring.offer(5);
            ring.notifyAvailable();
            Await.until("in flight", () -> device.held.get() == 1);
            CompletableFuture<Void> replaced =
                    CompletableFuture.runAsync(() -> {
                        try {
                            frontend.done(
                                    SET_MEM_TABLE, TestRing.memoryTable(), ring.file.number());
                        } catch (Exception e) {
                            throw new AssertionError(e);
                        }
                    });
            Await.until("mapped twice", () -> mappingsOf("test-guest") == 3);
            assertThat(replaced).isNotDone();
            device.hold = false;
            ring.notifyAvailable();
            assertThat(ring.takeUsed()).isEqualTo(~5L);
            replaced.get(10, TimeUnit.SECONDS);
            assertThat(mappingsOf("test-guest")).isEqualTo(2);
            ring.exchange(6);
        }
    }

    @Test
    void slotsComeAndGo() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing();
                Fd more = Memfd.create("test-more", SIZE)) {
            assertThat(frontend.askInteger(GET_MAX_MEM_SLOTS)).isEqualTo(509);
            frontend.done(ADD_MEM_REG, new SingleRegion(TestRing.region()), ring.file.number());
            frontend.done(SET_VRING_NUM, 0, TestRing.SIZE);
            frontend.done(SET_VRING_BASE, 0, 0);
            frontend.done(SET_VRING_ADDR, TestRing.address(0));
            frontend.descriptor(SET_VRING_KICK, 0, ring.kick.fd());
            frontend.done(SET_VRING_ENABLE, 0, 1);
            ring.exchange(1);
            for (int i = 0; i < 508; i++) {
                frontend.done(ADD_MEM_REG, slot(i), more.number());
            }
            assertThat(frontend.request(ADD_MEM_REG, slot(508), more.number())).isOne();
            ring.exchange(2);
            for (int i = 0; i < 508; i++) {
                frontend.done(REM_MEM_REG, slot(i)); // with or without a descriptor
            }
            assertThat(frontend.request(REM_MEM_REG, slot(1))).isOne();
            frontend.done(ADD_MEM_REG, slot(1), more.number());
            frontend.done(REM_MEM_REG, slot(1), more.number());
            assertThat(mappingsOf("test-more")).isZero();
            ring.exchange(3);
        }
    }

    @Test
    void aRingWhoseMemoryGoesIsBrokenAndComesBackWithIt() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            ring.exchange(1);
            frontend.done(REM_MEM_REG, new SingleRegion(TestRing.region()), ring.file.number());
            Await.until("error", () -> ring.error.drain() > 0);
            assertThat(mappingsOf("test-guest")).isEqualTo(1);
            assertThat(frontend.base(0)).isEqualTo(1);
            ring.setUp(frontend);
            ring.exchange(2);
        }
    }

    @Test
    void memoryThatTheFrontendTruncatesBreaksOnlyItsQueue() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            frontend.done(SET_VRING_ENABLE, 0, 1);
            ring.exchange(1);
            OpenFile.truncate(ring.file, 0);
            ring.notifyAvailable();
            Await.until("error", () -> ring.error.drain() > 0);
            assertThat(backend.counters().get(0).broken()).contains("taken away");
            assertThat(frontend.askInteger(GET_QUEUE_NUM)).isEqualTo(TestDevice.QUEUES);
        }
        try (TestFrontend next = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(next);
            next.done(SET_VRING_ENABLE, 0, 1);
            ring.exchange(2);
        }
    }

    @Test
    void aRingInMemoryThatIsTruncatedAlreadyDoesNotStart() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            ring.setUp(frontend);
            OpenFile.truncate(ring.file, 0);
            assertThat(frontend.request(SET_VRING_ENABLE, new Payload.VringState(0, 1))).isOne();
            assertThat(frontend.askInteger(GET_QUEUE_NUM)).isEqualTo(TestDevice.QUEUES);
        }
    }

    @ParameterizedTest(name = "{4}")
    @CsvSource({
        "0x0, 0, 0x0, 0, empty",
        "0x0, -1, 0x0, 0, a negative size",
        "0x0, 0x7fffffffffff0000, 0x0, 0, a huge size",
        "0xffffffffffff0000, 0x10000, 0x0, 0xf000, the file is too short for offset and size",
        "0xffffffffffff1000, 0x10000, 0x0, 0, beyond 2^64 in the guest",
        "0x0, 0x10000, 0xffffffffffff1000, 0, beyond 2^64 in user addresses",
        "0x0, 0x10000, 0x0, 0x7ffffffffffff000, beyond 2^63 in the file",
        "0x0, 0x10000, 0x0, 0x8000000000000000, a negative offset",
        "0x0, 0x10001, 0x0, 0, a byte more than the file",
        "0x8, 0x1000, 0x0, 0, aligned differently in guest and file",
        "0x100008000, 0x1000, 0x0, 0, overlapping in the guest",
        "0x0, 0x1000, 0x7f0000001000, 0, overlapping in user addresses"
    })
    void refusesARegionThatIs(String guest, String size, String user, String offset, String why)
            throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            frontend.done(SET_MEM_TABLE, TestRing.memoryTable(), ring.file.number());
            RegionDescription region =
                    new RegionDescription(
                            number(guest), number(size), number(user), number(offset));
            assertThat(frontend.request(ADD_MEM_REG, new SingleRegion(region), ring.file.number()))
                    .isOne();
            assertThat(
                            frontend.request(
                                    SET_MEM_TABLE,
                                    new Payload.MemoryTable(List.of(TestRing.region(), region)),
                                    ring.file.number(),
                                    ring.file.number()))
                    .isOne();
            // What was there still is.
            assertThat(mappingsOf("test-guest")).isEqualTo(2);
            frontend.done(REM_MEM_REG, new SingleRegion(TestRing.region()));
        }
    }

    @Test
    void mapsARegionThatIsNotAlignedToPages() throws Exception {
        try (TestFrontend frontend = negotiated();
                Fd file = Memfd.create("test-more", SIZE)) {
            frontend.done(
                    ADD_MEM_REG,
                    new SingleRegion(new RegionDescription(0x10, 0x100, 0x123, 0x1230)),
                    file.number());
            assertThat(mappingsOf("test-more")).isEqualTo(1);
        }
    }

    @Test
    void refusesDescriptorsThatAreNoMemory() throws Exception {
        try (TestFrontend frontend = negotiated();
                EventFd event = new EventFd();
                Fd readOnly = readOnlyFile()) {
            for (Fd fd : List.of(event.fd(), readOnly, frontend.socket.fd())) {
                assertThat(
                                frontend.request(
                                        ADD_MEM_REG,
                                        new SingleRegion(new RegionDescription(0, 4096, 0, 0)),
                                        fd.number()))
                        .isOne();
            }
        }
    }

    @Test
    void refusesRingAddressesOutsideMemory() throws Exception {
        try (TestFrontend frontend = negotiated();
                TestRing ring = new TestRing()) {
            frontend.done(SET_MEM_TABLE, TestRing.memoryTable(), ring.file.number());
            long start = TestRing.USER_ADDRESS;
            for (long outside : new long[] {start - 1, start + SIZE, 0, -1}) {
                assertThat(
                                frontend.request(
                                        SET_VRING_ADDR,
                                        new Payload.VringAddress(0, 0, start, start, outside, 0)))
                        .isOne();
            }
            // In memory, but not with all of its ring.
            frontend.done(SET_VRING_NUM, 0, TestRing.SIZE);
            frontend.done(SET_VRING_BASE, 0, 0);
            frontend.done(
                    SET_VRING_ADDR,
                    new Payload.VringAddress(0, 0, start + SIZE - 16, start, start, 0));
            frontend.descriptor(SET_VRING_KICK, 0, ring.kick.fd());
            assertThat(frontend.request(SET_VRING_ENABLE, new Payload.VringState(0, 1))).isOne();
            // And aligned as no ring is.
            frontend.done(
                    SET_VRING_ADDR,
                    new Payload.VringAddress(0, 0, start, start + 0x1000, start + 0x2000, 0));
            frontend.done(SET_VRING_ENABLE, 0, 0);
            frontend.done(
                    SET_VRING_ADDR,
                    new Payload.VringAddress(0, 0, start + 8, start + 0x1000, start + 0x2000, 0));
            assertThat(frontend.request(SET_VRING_ENABLE, new Payload.VringState(0, 1))).isOne();
        }
    }

    private Fd readOnlyFile() throws Exception {
        Path file = Files.write(directory.resolve("memory"), new byte[4096]);
        return OpenFile.open(file, OpenFile.O_RDONLY, 0);
    }

    private static SingleRegion slot(int i) {
        return new SingleRegion(new RegionDescription(i * SIZE, SIZE, 0x1000_0000L + i * SIZE, 0));
    }

    private static long number(String text) {
        return text.startsWith("-")
                ? Long.parseLong(text)
                : Long.parseUnsignedLong(text.replace("0x", ""), 16);
    }

    private static long mappingsOf(String name) throws java.io.IOException {
        try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains("memfd:" + name)).count();
        }
    }
}
