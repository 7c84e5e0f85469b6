package org.anyvirt.transports.vhostuser.message;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MessageCodecTest {
    private static final long SEED = Long.getLong("anyvirt.seed", 20261120L);

    private final Random random = new Random(SEED);

    @ParameterizedTest
    @EnumSource
    void readsBackWhatItWrote(Shape shape) throws Exception {
        for (int i = 0; i < 200; i++) {
            Payload payload = random(shape);
            assertThat(shape.read(bytes(payload))).as("seed %d", SEED).isEqualTo(payload);
        }
    }

    @ParameterizedTest
    @EnumSource
    void answersAnyBytesWithAPayloadOrAReason(Shape shape) {
        for (int i = 0; i < 5_000; i++) {
            byte[] any = new byte[random.nextInt(i % 2 == 0 ? 48 : 400)];
            random.nextBytes(any);
            for (int k = random.nextInt(5); k > 0 && any.length > 4; k--) {
                any[random.nextInt(any.length)] = 0;
            }
            if (any.length > 8) {
                any[0] = (byte) random.nextInt(12);
                any[1] = any[2] = any[3] = 0;
            }
            ByteBuffer from = ByteBuffer.wrap(any).order(ByteOrder.nativeOrder());
            try {
                Payload payload = shape.read(from);
                assertThat(payload.encodedSize()).isLessThanOrEqualTo(Header.PAYLOAD_MAX);
                assertThat(from.hasRemaining()).isFalse();
            } catch (MalformedMessageException e) {
                assertThat(e.getMessage()).as("seed %d", SEED).isNotBlank();
            }
        }
    }

    @Test
    void headerIsTheVersionTheFlagsAndTheSize() throws Exception {
        ByteBuffer buffer = buffer(Header.SIZE);
        Header.request(FrontendRequest.SET_VRING_NUM, true, new Payload.VringState(0, 1))
                .write(buffer);
        assertThat(buffer.flip().getInt(0)).isEqualTo(8);
        assertThat(buffer.getInt(4)).isEqualTo(0b1001);
        assertThat(buffer.getInt(8)).isEqualTo(8);
        Header read = Header.read(buffer);
        assertThat(read.needsReply()).isTrue();
        assertThat(read.isReply()).isFalse();
        assertThat(Header.reply(1, new Payload.U64(0)))
                .isEqualTo(new Header(1, 0b101, 8))
                .matches(Header::isReply);
    }

    @Test
    void rejectsHeadersThatDelimitNothing() {
        assertThatThrownBy(() -> Header.read(header(1, 0, 0)))
                .isInstanceOf(MalformedMessageException.class)
                .hasMessageContaining("version 0");
        assertThatThrownBy(() -> Header.read(header(1, 2, 0))).hasMessageContaining("version 2");
        assertThatThrownBy(() -> Header.read(header(5, 1, 4097)))
                .hasMessageContaining("request 5: a payload of 4097 bytes");
        assertThatThrownBy(() -> Header.read(header(5, 1, -1)))
                .hasMessageContaining("4294967295 bytes");
    }

    @Test
    void rejectsPayloadsOfAnotherSize() {
        assertThatThrownBy(() -> Shape.U64.read(buffer(4)))
                .hasMessage("a payload of 4 bytes where U64 has 8");
        assertThatThrownBy(() -> Shape.EMPTY.read(buffer(1))).hasMessageContaining("EMPTY has 0");
        assertThatThrownBy(() -> Shape.CONFIG.read(buffer(269)))
                .hasMessageContaining("CONFIG has 0 to 268");
        assertThatThrownBy(() -> Shape.MEMORY_TABLE.read(buffer(40).putInt(0, 2)))
                .hasMessageContaining("a memory table of 2 regions, of at most 8, in 40 bytes");
        assertThatThrownBy(() -> Shape.MEMORY_TABLE.read(buffer(264).putInt(0, 9)))
                .hasMessageContaining("9 regions");
        assertThatThrownBy(() -> Shape.CONFIG.read(buffer(20).putInt(4, -1)))
                .hasMessageContaining("says 4294967295 bytes, with 8");
        assertThatThrownBy(() -> Shape.CONFIG.read(buffer(11)))
                .hasMessageContaining("its header has 12");
    }

    @Test
    void readsAMemoryTableThatIsDrawnInFull() throws Exception {
        Payload read = Shape.MEMORY_TABLE.read(buffer(264).putInt(0, 1).putLong(8, 4096));
        assertThat(read)
                .isEqualTo(new Payload.MemoryTable(List.of(new RegionDescription(4096, 0, 0, 0))));
    }

    @Test
    void aVringDescriptorIsAnIndexAndWhetherItComes() throws Exception {
        for (int index : new int[] {0, 1, 255}) {
            for (boolean present : new boolean[] {true, false}) {
                VringDescriptor descriptor = new VringDescriptor(index, present);
                assertThat(VringDescriptor.of(descriptor.payload())).isEqualTo(descriptor);
            }
        }
        assertThat(new VringDescriptor(3, false).payload().value()).isEqualTo(0x103);
        assertThatThrownBy(() -> VringDescriptor.of(new Payload.U64(0x200)))
                .isInstanceOf(MalformedMessageException.class)
                .hasMessageContaining("0x200");
    }

    @Test
    void numbersAreTheSpecifications() {
        for (FrontendRequest request : FrontendRequest.values()) {
            assertThat(FrontendRequest.of(request.id())).isSameAs(request);
        }
        for (BackendRequest request : BackendRequest.values()) {
            assertThat(BackendRequest.of(request.id())).isSameAs(request);
        }
        assertThat(FrontendRequest.of(0)).isNull();
        assertThat(FrontendRequest.of(46)).isNull();
        assertThat(FrontendRequest.of(-1)).isNull();
        assertThat(FrontendRequest.GET_CONFIG.id()).isEqualTo(24);
        assertThat(FrontendRequest.GET_STATUS.id()).isEqualTo(40);
        assertThat(BackendRequest.CONFIG_CHANGE_MSG.id()).isEqualTo(2);
        assertThat(ProtocolFeature.VHOST_USER_PROTOCOL_F_CONFIG.bit()).isEqualTo(9);
        assertThat(ProtocolFeature.VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS.bit()).isEqualTo(15);
        assertThat(ProtocolFeature.VHOST_USER_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN.bit())
                .isEqualTo(23);
        assertThat(ProtocolFeature.describe(1L << 41 | 9)).isEqualTo("{MQ,REPLY_ACK,41}");
    }

    private Payload random(Shape shape) {
        return switch (shape) {
            case NONE, EMPTY -> Payload.EMPTY;
            case U64 -> new Payload.U64(random.nextLong());
            case VRING_STATE -> new Payload.VringState(random.nextInt(), random.nextInt());
            case VRING_ADDRESS ->
                    new Payload.VringAddress(
                            random.nextInt(),
                            random.nextInt(),
                            random.nextLong(),
                            random.nextLong(),
                            random.nextLong(),
                            random.nextLong());
            case MEMORY_TABLE ->
                    new Payload.MemoryTable(
                            random.ints(random.nextInt(9)).mapToObj(i -> randomRegion()).toList());
            case SINGLE_REGION -> new Payload.SingleRegion(randomRegion());
            case LOG -> new Payload.Log(random.nextLong(), random.nextLong());
            case IOTLB ->
                    new Payload.Iotlb(
                            random.nextLong(),
                            random.nextLong(),
                            random.nextLong(),
                            (byte) random.nextInt(),
                            (byte) random.nextInt());
            case CONFIG ->
                    new Payload.Config(
                            random.nextInt(), random.nextInt(), randomBytes(random.nextInt(257)));
            case VRING_AREA ->
                    new Payload.VringArea(random.nextLong(), random.nextLong(), random.nextLong());
            case INFLIGHT ->
                    new Payload.Inflight(
                            random.nextLong(),
                            random.nextLong(),
                            (short) random.nextInt(),
                            (short) random.nextInt());
            case DEVICE_STATE -> new Payload.DeviceState(random.nextInt(), random.nextInt());
            case OPAQUE -> new Payload.Opaque(randomBytes(random.nextInt(2100)));
        };
    }

    private RegionDescription randomRegion() {
        return new RegionDescription(
                random.nextLong(), random.nextLong(), random.nextLong(), random.nextLong());
    }

    private byte[] randomBytes(int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private static ByteBuffer bytes(Payload payload) {
        ByteBuffer buffer = buffer(payload.encodedSize());
        payload.write(buffer);
        assertThat(buffer.hasRemaining()).isFalse();
        return buffer.flip();
    }

    private static ByteBuffer header(int request, int flags, int size) {
        return buffer(Header.SIZE).putInt(request).putInt(flags).putInt(size).flip();
    }

    private static ByteBuffer buffer(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.nativeOrder());
    }
}
