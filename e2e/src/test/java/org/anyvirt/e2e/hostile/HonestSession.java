package org.anyvirt.e2e.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.anyvirt.driver.block.BlockDriver;
import org.anyvirt.driver.block.BlockOptions;
import org.anyvirt.driver.block.Disk;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.vhostuser.VhostUserDevice;
import org.anyvirt.driver.vhostuser.VhostUserOptions;
import org.anyvirt.virtio.spec.FeatureBits;

/**
 * The sessions between the attacks, with a driver that keeps every rule.
 *
 * <p>A part of a disk is {@link #fill}ed once, and never the target of an attack: whoever finds it
 * changed has found a request that went astray.
 */
final class HonestSession {
    /** Where that part is, in bytes: at no number that an attack might stumble on. */
    static final long UNTOUCHABLE = (48 << 20) + (1 << 15);

    private static final int UNTOUCHABLE_SIZE = 1 << 20;

    /** Where attacks write, in bytes. */
    static final long TARGET = 2L << 20;

    private static final long OWN = 8L << 20;
    private static final int OWN_SIZE = 128 << 10;
    private static final AtomicInteger SESSIONS = new AtomicInteger();

    private HonestSession() {}

    /** Writes what {@link #check} expects. */
    static void fill(Path socket) throws IOException {
        try (BlockDriver driver = start(socket, false)) {
            driver.disk().write(UNTOUCHABLE, pattern(0, UNTOUCHABLE_SIZE));
        }
    }

    /** Reads that again, and writes and reads something new; split and packed by turns. */
    static void check(Path socket) throws IOException {
        int session = SESSIONS.incrementAndGet();
        try (BlockDriver driver = start(socket, session % 2 == 0)) {
            Disk disk = driver.disk();
            assertThat(disk.read(UNTOUCHABLE, UNTOUCHABLE_SIZE))
                    .as("what nobody has written to")
                    .isEqualTo(pattern(0, UNTOUCHABLE_SIZE));
            byte[] fresh = pattern(session, OWN_SIZE);
            disk.write(OWN, fresh);
            disk.flush();
            assertThat(disk.read(OWN, OWN_SIZE)).as("what was just written").isEqualTo(fresh);
        }
    }

    static BlockDriver start(Path socket, boolean packed) throws IOException {
        BlockOptions options = BlockOptions.defaults().withDepth(4);
        if (packed) {
            options = options.withWanted(BlockOptions.ALL.with(FeatureBits.VIRTIO_F_RING_PACKED));
        }
        VhostUserDevice device =
                VhostUserDevice.connect(
                        socket, GuestMemory.ofSize(4 << 20), VhostUserOptions.DEFAULT);
        return BlockDriver.start(device, options);
    }

    /** Bytes that tell which session wrote them and where they belong. */
    static byte[] pattern(int session, int length) {
        byte[] bytes = new byte[length];
        long state = session;
        for (int i = 0; i < length; i++) {
            if (i % Long.BYTES == 0) {
                state = (state + i) * 0x9e3779b97f4a7c15L + session;
            }
            bytes[i] = (byte) (state >>> 8 * (i % Long.BYTES));
        }
        return bytes;
    }
}
