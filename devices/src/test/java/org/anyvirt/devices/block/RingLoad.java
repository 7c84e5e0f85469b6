package org.anyvirt.devices.block;

import static org.anyvirt.virtio.spec.BlockLayout.*;

import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.driver.queue.DriverChain;
import org.anyvirt.driver.queue.UsedBuffers;
import org.anyvirt.virtio.queue.MalformedChainException;

/** Reads, writes and ranges through a ring, over and over, without allocating itself. */
final class RingLoad implements UsedBuffers {
    private static final int DEPTH = 16;

    private final Rig rig;
    private final DriverChain[] chains = new DriverChain[DEPTH];
    private final SharedRange[] status = new SharedRange[DEPTH];
    private int outstanding;
    private int failed;

    RingLoad(Rig rig) {
        this.rig = rig;
        for (int i = 0; i < DEPTH; i++) {
            int type =
                    switch (i % 8) {
                        case 0, 1, 2, 3 -> VIRTIO_BLK_T_IN;
                        case 4, 5 -> VIRTIO_BLK_T_OUT;
                        case 6 -> VIRTIO_BLK_T_WRITE_ZEROES;
                        default -> VIRTIO_BLK_T_FLUSH;
                    };
            SharedRange header = bytes(Rig.header(type, 8L * i));
            status[i] = rig.guest.allocate(1, 1);
            DriverChain chain = new DriverChain().readable(header.address(), 16);
            switch (type) {
                case VIRTIO_BLK_T_IN -> chain.writable(rig.guest.allocate(4096, 1).address(), 4096);
                case VIRTIO_BLK_T_OUT ->
                        chain.readable(rig.guest.allocate(4096, 1).address(), 4096);
                case VIRTIO_BLK_T_WRITE_ZEROES ->
                        chain.readable(bytes(Rig.range(8L * i, 8, 1)).address(), 16);
                default -> {}
            }
            chains[i] = chain.writable(status[i].address(), 1).indirectFrom(0);
        }
    }

    private SharedRange bytes(byte[] bytes) {
        SharedRange range = rig.guest.allocate(bytes.length, 8);
        range.memory().asByteBuffer().put(bytes);
        return range;
    }

    void run(int count) throws MalformedChainException {
        for (int done = 0; done < count; done += DEPTH) {
            for (int i = 0; i < DEPTH; i++) {
                status[i].memory().set(java.lang.foreign.ValueLayout.JAVA_BYTE, 0, (byte) 9);
                rig.driver.add(chains[i], i);
            }
            outstanding = DEPTH;
            rig.driver.publish();
            while (outstanding > 0) {
                rig.handler.poll(128);
                rig.queue.flush();
                rig.driver.reap(this, DEPTH);
            }
        }
        if (failed != 0) {
            throw new AssertionError(failed + " requests failed");
        }
    }

    @Override
    public void used(long token, long written) {
        outstanding--;
        failed += status[(int) token].memory().get(java.lang.foreign.ValueLayout.JAVA_BYTE, 0);
    }
}
