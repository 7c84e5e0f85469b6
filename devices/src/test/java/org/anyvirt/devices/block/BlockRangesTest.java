package org.anyvirt.devices.block;

import static org.anyvirt.virtio.spec.BlockLayout.*;
import static org.assertj.core.api.Assertions.assertThat;

import org.anyvirt.virtio.queue.MalformedChainException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Discard and write-zeroes. */
class BlockRangesTest {
    private static final int SECTORS = 1 << 23;

    private final HeldStore store = new HeldStore(1 << 20);
    private Rig rig;

    BlockRangesTest() {
        store.capacity = SECTORS * 512L;
        rig = Rig.of(store, VIRTIO_BLK_F_FLUSH);
    }

    @AfterEach
    void close() {
        rig.close();
    }

    private int run(int type, byte[]... ranges) throws MalformedChainException {
        Rig.Request request = rig.request(type, 0);
        for (byte[] range : ranges) {
            request.readable(range);
        }
        request.writable(1).run();
        assertThat(request.written()).isEqualTo(1);
        return request.status();
    }

    @Test
    void doesOneRangeAfterTheOther() throws Exception {
        int status =
                run(
                        VIRTIO_BLK_T_WRITE_ZEROES,
                        Rig.range(0, 8, 0),
                        Rig.range(100, 0, 0),
                        Rig.range(32, 1, 1));
        assertThat(status).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(store.log).containsExactly("zero 0+4096", "zero 16384+512 unmap");
    }

    @Test
    void doesAsManyRangesAsItSays() throws Exception {
        byte[][] ranges = new byte[32][];
        for (int i = 0; i < 32; i++) {
            ranges[i] = Rig.range(2L * i, 1, 0);
        }
        assertThat(run(VIRTIO_BLK_T_DISCARD, ranges)).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(store.log).hasSize(32);
    }

    @Test
    void refusesMoreRangesThanItSays() throws Exception {
        byte[] ranges = new byte[33 * 16];
        assertThat(run(VIRTIO_BLK_T_DISCARD, ranges)).isEqualTo(VIRTIO_BLK_S_IOERR);
    }

    @ParameterizedTest
    @CsvSource({"0", "1", "15", "17", "31"})
    void refusesRaggedRanges(int length) throws Exception {
        assertThat(run(VIRTIO_BLK_T_DISCARD, new byte[length])).isEqualTo(VIRTIO_BLK_S_IOERR);
        assertThat(run(VIRTIO_BLK_T_WRITE_ZEROES, new byte[length])).isEqualTo(VIRTIO_BLK_S_IOERR);
        assertThat(store.log).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "8388608, 1, 0, 1",
        "8388607, 2, 0, 1",
        "-1, 1, 0, 1",
        "0, 4194305, 0, 1",
        "0, -1, 0, 1",
        "0, 1, 2, 2",
        "0, 1, 3, 2",
        "0, 1, -2147483648, 2",
    })
    void refusesAllWhenOneRangeIsWrong(long sector, int sectors, int flags, int status)
            throws Exception {
        byte[] good = Rig.range(0, 8, 0);
        byte[] wrong = Rig.range(sector, sectors, flags);
        assertThat(run(VIRTIO_BLK_T_DISCARD, good, wrong)).isEqualTo(status);
        assertThat(run(VIRTIO_BLK_T_WRITE_ZEROES, good, wrong, good)).isEqualTo(status);
        assertThat(store.log).isEmpty();
    }

    @Test
    void doesNotSupportADiscardThatUnmaps() throws Exception {
        assertThat(run(VIRTIO_BLK_T_DISCARD, Rig.range(0, 1, 1))).isEqualTo(VIRTIO_BLK_S_UNSUPP);
        assertThat(store.log).isEmpty();
    }

    @Test
    void takesTheLargestRange() throws Exception {
        assertThat(run(VIRTIO_BLK_T_DISCARD, Rig.range(0, 1 << 22, 0))).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(store.log).containsExactly("discard 0+2147483648");
    }

    @Test
    void doesNotSupportADiscardThatTheStoreCannotDo() throws Exception {
        rig.close();
        var limits = new BlockStore.Limits(false, 512, 4096, false, 4096, true);
        HeldStore other = new HeldStore(1 << 20, limits);
        rig = Rig.of(other);
        assertThat(rig.device.offered().has(VIRTIO_BLK_F_DISCARD)).isFalse();
        assertThat(run(VIRTIO_BLK_T_DISCARD, Rig.range(0, 1, 0))).isEqualTo(VIRTIO_BLK_S_UNSUPP);
    }

    @Test
    void stopsAtTheFirstRangeThatFails() throws Exception {
        store.error = 28;
        assertThat(run(VIRTIO_BLK_T_WRITE_ZEROES, Rig.range(0, 8, 0), Rig.range(8, 8, 0)))
                .isEqualTo(VIRTIO_BLK_S_IOERR);
        assertThat(store.log).hasSize(1);
    }
}
