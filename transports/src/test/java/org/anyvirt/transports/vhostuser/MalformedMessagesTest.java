package org.anyvirt.transports.vhostuser;

import static org.anyvirt.transports.vhostuser.message.FrontendRequest.*;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.anyvirt.linux.Epoll;
import org.anyvirt.linux.EventFd;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.Memfd;
import org.anyvirt.linux.OpenFile;
import org.anyvirt.transports.vhostuser.message.FrontendRequest;
import org.anyvirt.transports.vhostuser.message.Header;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.Payload.U64;
import org.anyvirt.transports.vhostuser.message.Payload.VringAddress;
import org.anyvirt.transports.vhostuser.message.Payload.VringState;
import org.anyvirt.transports.vhostuser.message.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class MalformedMessagesTest extends BackendFixture {
    private static final int NEED_REPLY = 8;

    static Stream<Arguments> refused() {
        Payload nothing = Payload.EMPTY;
        return Stream.of(
                Arguments.of("size 0", 8, new VringState(0, 0), 0),
                Arguments.of("size that is no power of two", 8, new VringState(0, 3), 0),
                Arguments.of("size over the queue's", 8, new VringState(0, 512), 0),
                Arguments.of("huge size", 8, new VringState(0, -1), 0),
                Arguments.of("index over the last", 8, new VringState(3, 8), 0),
                Arguments.of("huge index", 8, new VringState(Integer.MIN_VALUE, 8), 0),
                Arguments.of("a payload too short", 8, new Payload.Opaque(new byte[4]), 0),
                Arguments.of("a payload too long", 8, new Payload.Opaque(new byte[9]), 0),
                Arguments.of("a descriptor too many", 8, new VringState(0, 8), 1),
                Arguments.of("base of no ring", 10, new VringState(3, 0), 0),
                Arguments.of("address of no ring", 9, new VringAddress(3, 0, 0, 0, 0, 0), 0),
                Arguments.of("enable of no ring", 18, new VringState(-1, 1), 0),
                Arguments.of("enable by two", 18, new VringState(0, 2), 0),
                Arguments.of("kick of no ring", 12, new U64(255), 1),
                Arguments.of("kick without descriptor", 12, new U64(0), 0),
                Arguments.of("kick with two descriptors", 12, new U64(0), 2),
                Arguments.of("kick that has none, with one", 12, new U64(0x100), 1),
                Arguments.of("kick with unknown flags", 12, new U64(0x200), 1),
                Arguments.of("call with 100 descriptors", 13, new U64(0), 100),
                Arguments.of("error of no ring", 14, new U64(0x103), 0),
                Arguments.of("unknown features", 2, new U64(-1), 0),
                Arguments.of("unknown protocol features", 16, new U64(1L << 63), 0),
                Arguments.of("memory without descriptors", 5, TestRing.memoryTable(), 0),
                Arguments.of("memory with an eventfd", 5, TestRing.memoryTable(), 1),
                Arguments.of("memory with too many", 5, TestRing.memoryTable(), 2),
                Arguments.of("memory with far too many", 5, TestRing.memoryTable(), 253),
                Arguments.of("nine regions", 5, new Payload.Opaque(table(9, 296)), 0),
                Arguments.of("more regions than bytes", 5, new Payload.Opaque(table(2, 40)), 0),
                Arguments.of("a huge count of regions", 5, new Payload.Opaque(table(-1, 40)), 0),
                Arguments.of("a channel without descriptor", 21, nothing, 0),
                Arguments.of("a channel with two descriptors", 21, nothing, 2),
                Arguments.of("status with unknown bits", 39, new U64(0x20), 0),
                Arguments.of("request 0", 0, nothing, 1),
                Arguments.of("request 46", 46, nothing, 0),
                Arguments.of("request -1", -1, new U64(0), 3));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("refused")
    void isRefusedWithAReplyOrByEndingTheSession(
            String what, int request, Payload payload, int descriptors) throws Exception {
        try (EventFd event = new EventFd()) {
            int[] fds = new int[descriptors];
            Arrays.fill(fds, event.fd().number());
            try (TestFrontend frontend = connect().negotiate(ALL)) {
                frontend.send(header(request, NEED_REPLY, payload), payload, fds);
                assertThat(replyTo(frontend, request)).isEqualTo(1);
                assertThat(frontend.askInteger(GET_QUEUE_NUM)).isEqualTo(TestDevice.QUEUES);
                frontend.send(header(request, 0, payload), payload, fds);
                frontend.assertClosedByBackend();
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            names = {
                "SET_LOG_BASE",
                "SET_LOG_FD",
                "SEND_RARP",
                "NET_SET_MTU",
                "IOTLB_MSG",
                "SET_VRING_ENDIAN",
                "CREATE_CRYPTO_SESSION",
                "CLOSE_CRYPTO_SESSION",
                "POSTCOPY_ADVISE",
                "POSTCOPY_LISTEN",
                "POSTCOPY_END",
                "GET_INFLIGHT_FD",
                "SET_INFLIGHT_FD",
                "GPU_SET_SOCKET",
                "VRING_KICK",
                "GET_SHARED_OBJECT",
                "SET_DEVICE_STATE_FD",
                "CHECK_DEVICE_STATE",
                "GET_SHMEM_CONFIG",
                "GET_VRING_BASE_SKIP_DRAIN"
            })
    void whatIsNotOfferedIsRefused(FrontendRequest request) throws Exception {
        try (TestFrontend frontend = connect().negotiate(ALL);
                EventFd event = new EventFd()) {
            Payload payload = Payload.EMPTY;
            if (request == IOTLB_MSG) {
                payload = new Payload.Iotlb(0, 0, 0, (byte) 0, (byte) 0);
            }
            if (request.descriptorsMax() > 0) {
                frontend.send(Header.request(request, true, payload), payload, event.fd().number());
            } else {
                frontend.send(Header.request(request, true, payload), payload);
            }
            if (request.reply() == Shape.NONE) {
                assertThat(replyTo(frontend, request.id())).isEqualTo(1);
                frontend.askInteger(GET_FEATURES);
            } else {
                frontend.assertClosedByBackend();
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            names = {
                "SET_BACKEND_REQ_FD",
                "GET_CONFIG",
                "SET_CONFIG",
                "GET_MAX_MEM_SLOTS",
                "ADD_MEM_REG",
                "REM_MEM_REG",
                "SET_STATUS",
                "GET_STATUS"
            })
    void whatWasNotNegotiatedIsRefused(FrontendRequest request) throws Exception {
        try (TestFrontend frontend = connect()) {
            frontend.tell(SET_FEATURES, new U64(TestFrontend.FEATURES));
            if (request == GET_CONFIG) {
                assertThat(frontend.ask(request, new Payload.Config(0, 0, new byte[4])))
                        .isEqualTo(Payload.EMPTY);
            } else {
                frontend.tell(request, Payload.EMPTY);
                frontend.assertClosedByBackend();
            }
        }
    }

    @Test
    void needReplyMeansNothingBeforeItIsNegotiated() throws Exception {
        try (TestFrontend frontend = connect()) {
            frontend.send(Header.request(SET_OWNER, true, Payload.EMPTY), Payload.EMPTY);
            assertThat(frontend.askInteger(GET_FEATURES)).isNotZero();
            frontend.send(
                    Header.request(SET_VRING_NUM, true, new VringState(9, 1)),
                    new VringState(9, 1));
            frontend.assertClosedByBackend();
        }
    }

    @Test
    void bytesThatCannotBeDelimitedEndTheSession() throws Exception {
        for (Header header :
                new Header[] {
                    new Header(1, 0, 0),
                    new Header(1, 2, 0),
                    new Header(1, NEED_REPLY | 3, 0),
                    new Header(1, NEED_REPLY | 1, 4097),
                    new Header(1, NEED_REPLY | 1, -1)
                }) {
            try (TestFrontend frontend = negotiated();
                    EventFd event = new EventFd()) {
                frontend.send(header, Payload.EMPTY, event.fd().number());
                frontend.assertClosedByBackend();
            }
        }
    }

    @Test
    void aReplyToNothingEndsTheSession() throws Exception {
        try (TestFrontend frontend = negotiated()) {
            frontend.send(Header.reply(GET_FEATURES.id(), new U64(1)), new U64(1));
            frontend.assertClosedByBackend();
        }
    }

    @Test
    void descriptorsInTheMiddleOfAMessageEndTheSession() throws Exception {
        try (TestFrontend frontend = negotiated();
                EventFd event = new EventFd()) {
            byte[] kick = bytes(Header.request(SET_VRING_KICK, false, new U64(0)), new U64(0));
            frontend.sendRaw(Arrays.copyOf(kick, 12));
            frontend.sendRaw(Arrays.copyOfRange(kick, 12, 20), event.fd().number());
            frontend.assertClosedByBackend();
        }
    }

    @Test
    void aMessageMayComeByteByByte() throws Exception {
        try (TestFrontend frontend = negotiated()) {
            VringState state = new VringState(1, 0x77);
            for (byte one : bytes(Header.request(SET_VRING_BASE, true, state), state)) {
                frontend.sendRaw(new byte[] {one});
            }
            assertThat(replyTo(frontend, SET_VRING_BASE.id())).isZero();
            assertThat(frontend.base(1)).isEqualTo(0x77);
        }
    }

    @Test
    void descriptorsThatAreNoEventsAreRefused() throws Exception {
        try (TestFrontend frontend = negotiated();
                Fd file = Memfd.create("test-file", 4096);
                Fd zero = OpenFile.open(Path.of("/dev/zero"), OpenFile.O_RDWR, 0);
                Epoll epoll = new Epoll()) {
            for (FrontendRequest request : List.of(SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR)) {
                for (Fd fd : List.of(file, zero, epoll.fd(), frontend.socket.fd())) {
                    assertThat(frontend.request(request, new U64(0), fd.number())).isOne();
                }
            }
        }
    }

    @Test
    void randomSessionsLeaveNothingBehind() throws Exception {
        long seed = Long.getLong("anyvirt.seed", System.nanoTime());
        System.getLogger("test").log(System.Logger.Level.INFO, "anyvirt.seed=" + seed);
        Random random = new Random(seed);
        try (EventFd event = new EventFd();
                TestRing ring = new TestRing()) {
            for (int i = 0; i < 300; i++) {
                randomSession(random, event, ring);
            }
            try (TestFrontend good = negotiated();
                    TestRing after = new TestRing()) {
                after.setUp(good);
                good.done(SET_VRING_ENABLE, 0, 1);
                after.exchange(seed);
            }
        } catch (Exception | AssertionError e) {
            throw new AssertionError("anyvirt.seed=" + seed, e);
        }
    }

    private void randomSession(Random random, EventFd event, TestRing ring) throws Exception {
        try (TestFrontend frontend = connect()) {
            if (random.nextInt(4) > 0) {
                frontend.negotiate(random.nextBoolean() ? ALL : NO_STATUS);
            }
            if (random.nextBoolean()) {
                tellOfRing(frontend, ring);
            }
            int messages = random.nextInt(30);
            for (int k = 0; k < messages; k++) {
                randomMessage(random, frontend, event, ring);
            }
        } catch (IOException e) {
            // The backend ended it.
        }
    }

    /** A ring in service, as far as what was negotiated goes. */
    private static void tellOfRing(TestFrontend frontend, TestRing ring) throws IOException {
        frontend.tell(SET_MEM_TABLE, TestRing.memoryTable(), ring.file.number());
        frontend.tell(SET_VRING_NUM, new VringState(0, TestRing.SIZE));
        frontend.tell(SET_VRING_BASE, new VringState(0, 0));
        frontend.tell(SET_VRING_ADDR, TestRing.address(0));
        frontend.tell(SET_VRING_CALL, new U64(0), ring.call.fd().number());
        frontend.tell(SET_VRING_KICK, new U64(0), ring.kick.fd().number());
        frontend.tell(SET_VRING_ENABLE, new VringState(0, 1));
    }

    private static void randomMessage(
            Random random, TestFrontend frontend, EventFd event, TestRing ring) throws IOException {
        FrontendRequest request =
                FrontendRequest.values()[random.nextInt(FrontendRequest.values().length)];
        byte[] payload =
                new byte[random.nextInt(10) == 0 ? random.nextInt(300) : size(request, random)];
        if (random.nextInt(3) == 0) {
            random.nextBytes(payload);
        } else if (payload.length > 0) {
            payload[0] = (byte) random.nextInt(3);
        }
        int usual = Math.min(1, request.descriptorsMax());
        int[] fds = new int[random.nextInt(6) == 0 ? random.nextInt(9) : usual];
        Arrays.fill(fds, random.nextBoolean() ? event.fd().number() : ring.file.number());
        int flags = random.nextInt(40) == 0 ? random.nextInt() : 1 | NEED_REPLY;
        int size = random.nextInt(60) == 0 ? random.nextInt(5000) : payload.length;
        frontend.send(new Header(request.id(), flags, size), new Payload.Opaque(payload), fds);
    }

    private static int size(FrontendRequest request, Random random) {
        return switch (request.payload()) {
            case NONE, EMPTY, OPAQUE -> 0;
            case U64, VRING_STATE, DEVICE_STATE -> 8;
            case VRING_ADDRESS, SINGLE_REGION -> 40;
            case MEMORY_TABLE -> 8 + 32 * random.nextInt(3);
            case LOG -> 16;
            case IOTLB -> 32;
            case CONFIG -> 20;
            case VRING_AREA, INFLIGHT -> 24;
        };
    }

    private static Header header(int request, int flags, Payload payload) {
        return new Header(request, flags | 1, payload.encodedSize());
    }

    private static long replyTo(TestFrontend frontend, int request) throws Exception {
        Header header = frontend.receiveHeader();
        assertThat(header).isEqualTo(new Header(request, 5, 8));
        return frontend.receiveInteger();
    }

    private static byte[] bytes(Header header, Payload payload) {
        ByteBuffer buffer =
                ByteBuffer.allocate(Header.SIZE + payload.encodedSize())
                        .order(ByteOrder.nativeOrder());
        header.write(buffer);
        payload.write(buffer);
        return buffer.array();
    }

    private static byte[] table(int count, int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.nativeOrder()).putInt(0, count).array();
    }
}
