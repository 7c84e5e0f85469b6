package org.anyvirt.devices.block;

import static org.anyvirt.virtio.spec.BlockLayout.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.anyvirt.devices.Devices;
import org.anyvirt.virtio.device.ConfigSpace;
import org.anyvirt.virtio.spec.Features;
import org.junit.jupiter.api.Test;

class BlockDeviceTest {
    private static final int CAPACITY = 1 << 20;

    private final HeldStore store = new HeldStore(CAPACITY);
    private final BlockDevice device = new BlockDevice(BlockDevice.Config.DEFAULT, store);

    private static ByteBuffer bytes(BlockDevice device) {
        return ByteBuffer.wrap(device.config().read(0, 64)).order(ByteOrder.LITTLE_ENDIAN);
    }

    @Test
    void isInTheListOfDevices() {
        assertThat(Devices.ALL).contains(BlockDevice.FACTORY);
        assertThat(BlockDevice.FACTORY.id().label()).isEqualTo("block");
    }

    @Test
    void laysItsConfigurationOutAsTheSpecificationSays() {
        ByteBuffer config = bytes(device);
        assertThat(device.config().size()).isEqualTo(60);
        assertThat(config.getLong(0)).as("capacity").isEqualTo(2048);
        assertThat(config.getInt(8)).as("size_max").isZero();
        assertThat(config.getInt(12)).as("seg_max").isEqualTo(126);
        assertThat(config.getInt(16)).as("geometry").isZero();
        assertThat(config.getInt(20)).as("blk_size").isEqualTo(512);
        assertThat(config.get(24)).as("physical_block_exp").isEqualTo((byte) 3);
        assertThat(config.get(25)).as("alignment_offset").isZero();
        assertThat(config.getShort(26)).as("min_io_size").isEqualTo((short) 8);
        assertThat(config.getInt(28)).as("opt_io_size").isZero();
        assertThat(config.get(32)).as("writeback").isEqualTo((byte) 1);
        assertThat(config.get(33)).as("unused0").isZero();
        assertThat(config.getShort(34)).as("num_queues").isEqualTo((short) 16);
        assertThat(config.getInt(36)).as("max_discard_sectors").isEqualTo(1 << 22);
        assertThat(config.getInt(40)).as("max_discard_seg").isEqualTo(32);
        assertThat(config.getInt(44)).as("discard_sector_alignment").isEqualTo(8);
        assertThat(config.getInt(48)).as("max_write_zeroes_sectors").isEqualTo(1 << 22);
        assertThat(config.getInt(52)).as("max_write_zeroes_seg").isEqualTo(32);
        assertThat(config.getInt(56)).as("write_zeroes_may_unmap, unused1").isEqualTo(1);
        assertThat(config.getInt(60)).as("beyond its end").isZero();
    }

    @Test
    void offersWhatItCanDo() {
        assertThat(device.offered())
                .isEqualTo(
                        Features.of(
                                VIRTIO_BLK_F_SEG_MAX,
                                VIRTIO_BLK_F_BLK_SIZE,
                                VIRTIO_BLK_F_FLUSH,
                                VIRTIO_BLK_F_TOPOLOGY,
                                VIRTIO_BLK_F_CONFIG_WCE,
                                VIRTIO_BLK_F_MQ,
                                VIRTIO_BLK_F_DISCARD,
                                VIRTIO_BLK_F_WRITE_ZEROES));
        assertThat(device.virtqueues()).hasSize(16);
        assertThat(device.virtqueues().getFirst().name()).isEqualTo("requestq1");
        assertThat(device.virtqueues().getFirst().maxSize()).isEqualTo(1024);
    }

    @Test
    void offersNothingThatWritesWhenReadOnly() {
        var config = new BlockDevice.Config(1, 4, null, true, false);
        BlockDevice readOnly = new BlockDevice(config, store);
        assertThat(readOnly.offered())
                .isEqualTo(
                        Features.of(
                                VIRTIO_BLK_F_SEG_MAX,
                                VIRTIO_BLK_F_RO,
                                VIRTIO_BLK_F_BLK_SIZE,
                                VIRTIO_BLK_F_FLUSH,
                                VIRTIO_BLK_F_TOPOLOGY));
        assertThat(bytes(readOnly).getInt(36)).isZero();
        assertThat(bytes(readOnly).getInt(12)).as("seg_max").isEqualTo(2);
        assertThat(readOnly.config().write(CONFIG_WRITEBACK, new byte[] {0})).isFalse();
    }

    @Test
    void letsTheDriverWriteTheCacheModeAlone() {
        ConfigSpace config = device.config();
        for (int i = 0; i < config.size(); i++) {
            assertThat(config.write(i, new byte[] {0})).isEqualTo(i == CONFIG_WRITEBACK);
        }
    }

    @Test
    void tellsTheDriverOfANewCapacity() throws Exception {
        int[] told = {0};
        device.config().onDeviceChange(() -> told[0]++);
        device.resize(2 * CAPACITY);
        assertThat(told[0]).isOne();
        assertThat(device.config().generation()).isOne();
        assertThat(bytes(device).getLong(0)).isEqualTo(4096);
        assertThat(store.capacity()).isEqualTo(2 * CAPACITY);
    }

    @Test
    void keepsItsCapacityWhenTheStoreCannotChangeIt() {
        store.refusesToResize = new IOException("held: is of stone");
        for (long size : new long[] {CAPACITY / 2, CAPACITY * 2}) {
            assertThatThrownBy(() -> device.resize(size)).hasMessage("held: is of stone");
            assertThat(device.capacity()).isEqualTo(CAPACITY);
            assertThat(bytes(device).getLong(0)).isEqualTo(2048);
        }
    }

    @Test
    void refusesACapacityThatIsNoMultipleOfABlock() {
        for (long size : new long[] {0, -512, 1000}) {
            assertThatThrownBy(() -> device.resize(size))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("multiple of 512 bytes, not " + size);
        }
    }

    @Test
    void servesTheNewCapacityAtOnce() throws Exception {
        try (Rig rig = Rig.of(store)) {
            rig.device.resize(2 * CAPACITY);
            assertThat(rig.in(2048, 512).run().status()).isEqualTo(VIRTIO_BLK_S_OK);
            rig.device.resize(CAPACITY / 2);
            assertThat(rig.in(1024, 512).run().status()).isEqualTo(VIRTIO_BLK_S_IOERR);
            assertThat(rig.in(1023, 512).run().status()).isEqualTo(VIRTIO_BLK_S_OK);
        }
    }

    @Test
    void closesItsStore() {
        device.close();
        assertThat(store.closed).isTrue();
    }

    @Test
    void namesTheOptionThatIsWrong() {
        assertThatThrownBy(() -> new BlockDevice.Config(0, null, null, false, false))
                .hasMessage("queues: 1 to 256 are possible, not 0");
        assertThatThrownBy(() -> new BlockDevice.Config(1, 100, null, false, false))
                .hasMessage("queueSize: a power of two from 4 to 32768 is expected, not 100");
        String serial = "0123456789012345678901";
        assertThatThrownBy(() -> new BlockDevice.Config(1, null, serial, false, false))
                .hasMessageContaining("serial: up to 20 printable characters of ASCII");
        assertThatThrownBy(() -> new BlockDevice.Config(1, null, "ä", false, false))
                .hasMessageContaining("serial");
    }
}
