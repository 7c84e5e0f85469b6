package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_S_OK;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.anyvirt.driver.queue.QueueMemory;
import org.anyvirt.driver.vhostuser.BackendException;
import org.anyvirt.driver.vhostuser.VhostUserDevice;
import org.anyvirt.driver.vhostuser.VhostUserFrontend;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.anyvirt.linux.EventFd;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.UnixSocket;
import org.anyvirt.transports.vhostuser.message.FrontendRequest;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests that are well formed, and that a frontend must not make all the same. */
@Timeout(60)
class HostileFrontendTest {
    @RegisterExtension static final ServedDisks DISKS = new ServedDisks("frontend", "disk");

    private static final int MANY = 500;

    private static HostileSession open(Kind kind) throws IOException {
        return HostileSession.open(DISKS, "disk", kind);
    }

    private static void isRefused(ThrowingCallable request, String... logged) throws IOException {
        assertThatThrownBy(request).isInstanceOf(BackendException.class);
        String[] parts = Arrays.copyOf(logged, logged.length + 1);
        parts[logged.length] = "disk: refused: ";
        DISKS.awaitLogged(parts);
    }

    private static void isServed(HostileSession session) throws IOException {
        assertThat(session.run(session.readHeader(), session.in(512), session.status()))
                .isEqualTo(VIRTIO_BLK_S_OK);
    }

    /** CVE-2026-5747: what was checked when the queue started stays as it was. */
    @EachRing
    void refusesToChangeARingThatIsStarted(Kind kind) throws IOException {
        try (HostileSession session = open(kind)) {
            VhostUserFrontend frontend = session.device().frontend();
            isServed(session);
            for (int size : new int[] {1, 8, 32, 256}) {
                isRefused(() -> frontend.setVringNum(0, size), "SET_VRING_NUM");
            }
            isRefused(() -> frontend.setVringBase(0, 7), "SET_VRING_BASE");
            isRefused(
                    () -> frontend.setVringAddr(address(session, 0, 4096, 0, 0)), "SET_VRING_ADDR");
            isServed(session);
        }
    }

    /** The addresses of the session's ring, moved by so many bytes. */
    private static Payload.VringAddress address(
            HostileSession session, int index, long descriptor, long available, long used) {
        QueueMemory ring = session.ring().memory();
        return new Payload.VringAddress(
                index,
                0,
                session.memory().userAddress(ring.descriptorArea().address()) + descriptor,
                session.memory().userAddress(ring.deviceArea().address()) + used,
                session.memory().userAddress(ring.driverArea().address()) + available,
                0);
    }

    /** Sizes of nothing, of no power of two, of too much, and that are good when cut to 16 bits. */
    @ParameterizedTest
    @ValueSource(ints = {0, 3, 17, 1 << 12, 1 << 15, 1 << 16, (1 << 16) + 16, 1 << 31, -1, -16})
    void refusesRingOfSuchASize(int size) throws IOException {
        try (HostileSession session = open(Kind.SPLIT)) {
            VhostUserFrontend frontend = session.device().frontend();
            isRefused(() -> frontend.setVringNum(1, size), "SET_VRING_NUM: vring 1: ");
            isServed(session);
        }
    }

    /** CVE-2020-10723: indices that are good when cut to 8 or 16 bits. */
    @ParameterizedTest
    @ValueSource(ints = {4, 255, 256, 1 << 16, (1 << 16) + 1, 1 << 31, -1})
    void refusesRingThatIsNot(int index) throws IOException {
        try (HostileSession session = open(Kind.SPLIT);
                EventFd event = new EventFd()) {
            VhostUserFrontend frontend = session.device().frontend();
            isRefused(() -> frontend.setVringNum(index, 16), "SET_VRING_NUM");
            isRefused(() -> frontend.setVringBase(index, 0), "SET_VRING_BASE");
            isRefused(() -> frontend.setVringEnable(index, true), "SET_VRING_ENABLE");
            isRefused(
                    () -> frontend.setVringAddr(address(session, index, 0, 0, 0)),
                    "SET_VRING_ADDR");
            for (FrontendRequest request : NOTIFICATIONS) {
                Payload.U64 cut = new Payload.U64(index & 0xffff_ffffL);
                if ((index & 0x100) == 0) {
                    isRefused(() -> frontend.request(request, cut, event.fd()), request.name());
                }
            }
            isServed(session);
        }
    }

    private static final Set<FrontendRequest> NOTIFICATIONS =
            Set.of(
                    FrontendRequest.SET_VRING_KICK,
                    FrontendRequest.SET_VRING_CALL,
                    FrontendRequest.SET_VRING_ERR);

    /** Off by one, nowhere, beyond the end, and wrapped. */
    @EachRing
    void startsNoRingAtBadAddresses(Kind kind) throws IOException {
        for (long move : new long[] {1, -1L << 32, HostileSession.REGION_SIZE, Long.MIN_VALUE}) {
            for (int part = 0; part < 3; part++) {
                long[] by = new long[3];
                by[part] = move;
                try (HostileSession session = open(kind)) {
                    isServed(session);
                    int base = session.device().frontend().getVringBase(0);
                    Payload.VringAddress address = address(session, 0, by[0], by[1], by[2]);
                    isRefused(() -> restart(session, address, base), "vring 0: ");
                }
            }
        }
    }

    /** The ring begins in a region and ends behind it. */
    @EachRing
    void startsNoRingAcrossTheEndOfARegion(Kind kind) throws IOException {
        try (HostileSession session = open(kind)) {
            session.device().frontend().getVringBase(0);
            long ring = session.ring().memory().descriptorArea().address();
            long end = ring - ring % HostileSession.LOW + HostileSession.REGION_SIZE;
            isRefused(
                    () -> restart(session, address(session, 0, end - 64 - ring, 0, 0), 0),
                    "vring 0: ");
        }
    }

    private static void restart(HostileSession session, Payload.VringAddress address, int base)
            throws IOException {
        VhostUserFrontend frontend = session.device().frontend();
        frontend.setVringAddr(address);
        frontend.setVringBase(address.index(), base);
        frontend.setVringKick(address.index(), session.queue().vring().kick().fd());
    }

    /** All parts in one place: the ring eats itself, and nobody else. */
    @EachRing
    void survivesRingWhosePartsOverlap(Kind kind) throws IOException {
        try (HostileSession session = open(kind)) {
            VhostUserFrontend frontend = session.device().frontend();
            long ring =
                    session.memory()
                            .userAddress(session.ring().memory().descriptorArea().address());
            frontend.getVringBase(0);
            frontend.setVringAddr(new Payload.VringAddress(0, 0, ring, ring, ring, 0));
            session.ring().add(session.readHeader(), session.in(512), session.status());
            frontend.setVringBase(0, 0);
            try {
                frontend.setVringKick(0, session.queue().vring().kick().fd());
                session.queue().publish();
                frontend.getVringBase(0);
            } catch (BackendException refused) {
                DISKS.awaitLogged("disk: refused: ");
            }
        }
    }

    /** Positions outside the ring, and further apart than it is long. */
    @ParameterizedTest
    @ValueSource(ints = {16, 0x10, 0x7fff, 0x8010, 0xffff, 0x0010_8000, 0xffff_8000, -1})
    void startsNoPackedRingAtSuchABase(int base) throws IOException {
        try (HostileSession session = open(Kind.PACKED)) {
            session.device().frontend().getVringBase(0);
            isRefused(() -> restart(session, address(session, 0, 0, 0, 0), base), "vring 0: ");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {17, 0x7fff, 0xffff})
    void startsNoSplitRingAtSuchABase(int base) throws IOException {
        try (HostileSession session = open(Kind.SPLIT)) {
            session.device().frontend().getVringBase(0);
            isRefused(() -> restart(session, address(session, 0, 0, 0, 0), base), "vring 0: ");
        }
    }

    @Test
    void refusesFeaturesThatWereNotOffered() throws IOException {
        try (VhostUserDevice device = HostileSession.connect(DISKS, "disk")) {
            VhostUserFrontend frontend = device.frontend();
            isRefused(() -> frontend.setProtocolFeatures(-1), "SET_PROTOCOL_FEATURES");
            isRefused(() -> frontend.setFeatures(-1), "SET_FEATURES");
            long notOffered = ~frontend.getFeatures();
            for (int bit = 0; bit < 64; bit++) {
                long one = 1L << bit & notOffered;
                if (one != 0) {
                    assertThatThrownBy(() -> frontend.setFeatures(one))
                            .isInstanceOf(BackendException.class);
                }
            }
        }
    }

    @EachRing
    void refusesOtherFeaturesForARingThatIsStarted(Kind kind) throws IOException {
        Kind other = kind == Kind.SPLIT ? Kind.PACKED : Kind.SPLIT;
        try (HostileSession session = open(kind)) {
            VhostUserFrontend frontend = session.device().frontend();
            isRefused(() -> frontend.setFeatures(other.features().low()), "SET_FEATURES");
            isServed(session);
        }
    }

    /** CVE-2021-3545: a reply is the configuration, and zeros after its end. */
    @Test
    void showsNothingBehindTheConfiguration() throws IOException {
        try (VhostUserDevice device = HostileSession.connect(DISKS, "disk")) {
            VhostUserFrontend frontend = device.frontend();
            byte[] all = frontend.getConfig(0, 256);
            assertThat(Arrays.copyOfRange(all, 60, 256)).containsOnly(0);
            for (int offset : new int[] {1, 256, 1 << 30, -1, Integer.MIN_VALUE}) {
                assertThatThrownBy(() -> frontend.getConfig(offset, 256))
                        .isInstanceOf(BackendException.class);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 31, 33, 59, 60, 255, -1, Integer.MAX_VALUE, Integer.MIN_VALUE})
    void refusesToWriteConfigurationThatIsNotTheDrivers(int offset) throws IOException {
        try (VhostUserDevice device = HostileSession.connect(DISKS, "disk")) {
            byte[] before = device.readConfig(0, 60);
            isRefused(() -> device.writeConfig(offset, new byte[] {1}), "SET_CONFIG");
            assertThat(device.readConfig(0, 60)).isEqualTo(before);
        }
    }

    /** CVE-2019-14818: the one before is closed each time. */
    @Test
    void holdsNoMoreAfterManyDescriptorsThanAfterOne() throws IOException {
        try (HostileSession session = open(Kind.SPLIT)) {
            VhostUserFrontend frontend = session.device().frontend();
            ProcessHoldings before = DISKS.holdings();
            for (int i = 0; i < MANY; i++) {
                try (EventFd event = new EventFd()) {
                    frontend.setVringKick(0, event.fd());
                    frontend.setVringCall(0, event.fd());
                    frontend.setVringErr(0, event.fd());
                }
                frontend.setVringNum(0, HostileQueue.SIZE);
                UnixSocket[] pair = UnixSocket.pair();
                frontend.setBackendReqFd(pair[1].fd());
                pair[0].close();
                pair[1].close();
            }
            frontend.setVringKick(0, session.queue().vring().kick().fd());
            isServed(session);
            ProcessHoldings after = DISKS.holdings();
            assertThat(after.descriptors().get("anon_inode:[eventfd]"))
                    .isEqualTo(before.descriptors().get("anon_inode:[eventfd]"));
            assertThat(after.descriptors().get("socket"))
                    .isLessThanOrEqualTo(before.descriptors().get("socket"));
        }
    }

    /** CVE-2019-14818, CVE-2020-10717: with every request, also those that take none. */
    @ParameterizedTest
    @EnumSource(FrontendRequest.class)
    void takesNoMoreDescriptorsThanItHasUseFor(FrontendRequest request) throws IOException {
        try (EventFd event = new EventFd()) {
            for (int count : new int[] {9, UnixSocket.SCM_MAX_FD}) {
                Fd[] many = new Fd[count];
                Arrays.fill(many, event.fd());
                try (VhostUserDevice device = HostileSession.connect(DISKS, "disk")) {
                    VhostUserFrontend frontend = device.frontend();
                    Payload payload = new Payload.Opaque(new byte[request.payload().sizeMin()]);
                    ThrowingCallable attempt = () -> frontend.request(request, payload, many);
                    if (request == FrontendRequest.GET_CONFIG) {
                        // It is refused with a reply of no bytes.
                        assertThat(frontend.request(request, payload, many))
                                .isEqualTo(Payload.EMPTY);
                    } else {
                        assertThatThrownBy(attempt).isInstanceOf(IOException.class);
                    }
                }
            }
        }
    }

    /** CVE-2020-10726, CVE-2021-3839 and others of what is not offered here. */
    @ParameterizedTest
    @EnumSource(
            value = FrontendRequest.class,
            names = {
                "SET_LOG_BASE",
                "SET_LOG_FD",
                "SET_INFLIGHT_FD",
                "GPU_SET_SOCKET",
                "SET_DEVICE_STATE_FD"
            })
    void keepsNoDescriptorOfWhatIsNotOffered(FrontendRequest request) throws IOException {
        for (int i = 0; i < 20; i++) {
            try (VhostUserDevice device = HostileSession.connect(DISKS, "disk");
                    EventFd event = new EventFd()) {
                Payload payload = new Payload.Opaque(filled(request.payload().sizeMin()));
                assertThatThrownBy(() -> device.frontend().request(request, payload, event.fd()))
                        .isInstanceOf(IOException.class);
            }
        }
    }

    private static byte[] filled(int length) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) -1);
        return bytes;
    }

    /** Each waits its turn, and none is in the way once it has gone. */
    @Test
    void survivesManyFrontendsAtOnce() throws IOException {
        List<UnixSocket> all = new ArrayList<>();
        try {
            for (int i = 0; i < 200; i++) {
                all.add(UnixSocket.connect(DISKS.socket("disk")));
            }
        } finally {
            all.forEach(UnixSocket::close);
        }
    }
}
