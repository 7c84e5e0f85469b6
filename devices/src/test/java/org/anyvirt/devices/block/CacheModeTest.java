package org.anyvirt.devices.block;

import static org.anyvirt.virtio.spec.BlockLayout.*;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** When a write is durable on completion (VIRTIO 1.3, 5.2.5.2, 5.2.6.2). */
class CacheModeTest {
    private HeldStore store = new HeldStore(1 << 20);
    private Rig rig;

    @AfterEach
    void close() {
        rig.close();
    }

    private void assertWrites(boolean durable) throws Exception {
        store.log.clear();
        assertThat(rig.out(0, new byte[512]).run().status()).isEqualTo(VIRTIO_BLK_S_OK);
        rig.request(VIRTIO_BLK_T_WRITE_ZEROES, 0)
                .readable(Rig.range(0, 1, 0))
                .readable(Rig.range(1, 1, 0))
                .writable(1)
                .run();
        rig.request(VIRTIO_BLK_T_DISCARD, 0).readable(Rig.range(0, 1, 0)).writable(1).run();
        if (durable) {
            assertThat(store.log)
                    .containsExactly(
                            "write 0+512 durable",
                            "zero 0+512",
                            "zero 512+512",
                            "flush",
                            "discard 0+512");
        } else {
            assertThat(store.log)
                    .containsExactly("write 0+512", "zero 0+512", "zero 512+512", "discard 0+512");
        }
    }

    private int writebackField() {
        return rig.device.config().read(CONFIG_WRITEBACK, 1)[0];
    }

    @Test
    void isWritethroughForADriverThatNegotiatesNothing() throws Exception {
        rig = Rig.of(store);
        assertWrites(true);
    }

    @Test
    void isWritebackForADriverThatFlushes() throws Exception {
        rig = Rig.of(store, VIRTIO_BLK_F_FLUSH);
        assertWrites(false);
    }

    @Test
    void startsWithWritethroughForADriverThatTogglesAndDoesNotFlush() throws Exception {
        rig = Rig.of(store, VIRTIO_BLK_F_CONFIG_WCE);
        assertThat(writebackField()).isZero();
        assertWrites(true);
    }

    @Test
    void changesUnderADriverThatToggles() throws Exception {
        rig = Rig.of(store, VIRTIO_BLK_F_CONFIG_WCE, VIRTIO_BLK_F_FLUSH);
        assertThat(writebackField()).isOne();
        assertWrites(false);
        assertThat(rig.device.config().write(CONFIG_WRITEBACK, new byte[] {0})).isTrue();
        assertWrites(true);
        assertThat(rig.device.config().write(CONFIG_WRITEBACK, new byte[] {1})).isTrue();
        assertWrites(false);
        rig.device.config().write(CONFIG_WRITEBACK, new byte[] {0});
        rig.device.reset();
        assertThat(writebackField()).isOne();
        assertWrites(false);
    }

    @Test
    void isWritethroughWhenTheUserSaysSo() throws Exception {
        var config = new BlockDevice.Config(null, null, null, false, true);
        var features = Rig.RING.with(VIRTIO_BLK_F_FLUSH).with(VIRTIO_BLK_F_CONFIG_WCE);
        rig = new Rig(new BlockDevice(config, store), 16, features);
        assertThat(writebackField()).isZero();
        assertWrites(true);
        rig.device.config().write(CONFIG_WRITEBACK, new byte[] {1});
        assertWrites(false);
    }

    @Test
    void asksNothingOfAStoreThatIsDurableAnyway() throws Exception {
        store = new HeldStore(1 << 20, new BlockStore.Limits(false, 512, 4096, true, 4096, false));
        rig = Rig.of(store);
        assertWrites(false);
    }

    @Test
    void flushesInBothModes() throws Exception {
        rig = Rig.of(store);
        rig.request(VIRTIO_BLK_T_FLUSH, 0).writable(1).run();
        assertThat(store.log).containsExactly("flush");
    }

    @Test
    void survivesAMoveToAnotherProcess() throws Exception {
        rig = Rig.of(store, VIRTIO_BLK_F_CONFIG_WCE, VIRTIO_BLK_F_FLUSH);
        rig.device.config().write(CONFIG_WRITEBACK, new byte[] {0});
        BlockDevice other = new BlockDevice(BlockDevice.Config.DEFAULT, store);
        other.restore(rig.device.save());
        assertThat(other.config().read(CONFIG_WRITEBACK, 1)).containsExactly(0);
    }
}
