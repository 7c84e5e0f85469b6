package org.anyvirt.driver.block;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.anyvirt.driver.device.RemoteDevice;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.queue.DriverQueue;
import org.anyvirt.driver.queue.QueueNotifications;
import org.anyvirt.virtio.memory.Buffers;
import org.anyvirt.virtio.memory.MemoryRegion;
import org.anyvirt.virtio.memory.PremappedMemory;
import org.anyvirt.virtio.memory.RegionTable;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.queue.Chain;
import org.anyvirt.virtio.queue.DeviceVirtqueue;
import org.anyvirt.virtio.queue.MalformedChainException;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.queue.Virtqueues;
import org.anyvirt.virtio.spec.Features;

/** A small disk that does each request on the driver's thread, when it is notified. */
final class LoopbackDisk implements RemoteDevice {
    private static final int BATCH = 256;

    private final GuestMemory memory = GuestMemory.ofSize(8 << 20);
    private final MemorySegment content;
    private final Features offered;
    private final Chain[] chains = new Chain[BATCH];
    private Features accepted = Features.NONE;
    private DeviceVirtqueue queue;

    /** Completes all requests of this number and later ones with an error. */
    long failFrom = Long.MAX_VALUE;

    private long requests;

    /**
     * @param content what is on the disk; without bytes, it does nothing at all
     */
    LoopbackDisk(MemorySegment content, Features offered) throws IOException {
        this.content = content;
        this.offered = offered;
    }

    @Override
    public Features offered() {
        return offered;
    }

    @Override
    public void accept(Features features) {
        accepted = features;
    }

    @Override
    public Features accepted() {
        return accepted;
    }

    @Override
    public GuestMemory memory() {
        return memory;
    }

    @Override
    public int queuesMax() {
        return 1;
    }

    @Override
    public byte[] readConfig(int offset, int length) {
        return ByteBuffer.allocate(length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(0, content.byteSize() / 512)
                .array();
    }

    @Override
    public void writeConfig(int offset, byte[] values) {}

    @Override
    public void onConfigChange(Runnable listener) {}

    @Override
    public QueueNotifications start(int index, DriverQueue driver) throws IOException {
        try {
            queue =
                    Virtqueues.create(
                            index,
                            driver.memory().layout(),
                            driver.position(),
                            accepted,
                            new PremappedMemory(table()),
                            () -> {});
        } catch (UnmappedRangeException e) {
            throw new IOException(e);
        }
        queue.arm();
        return new QueueNotifications() {
            @Override
            public void sendAvailable() {
                turn();
            }

            @Override
            public boolean awaitUsed(int timeoutMillis) {
                return false;
            }
        };
    }

    private RegionTable table() {
        return RegionTable.of(
                memory.regions().stream()
                        .map(region ->
                                new MemoryRegion(
                                        region.placement().guestAddress(),
                                        region.placement().size(),
                                        region.memory()))
                        .toList());
    }

    private void turn() {
        try {
            do {
                int count = queue.take(chains, BATCH);
                for (int i = 0; i < count; i++) {
                    queue.complete(chains[i], answer(chains[i]));
                }
                queue.flush();
            } while (queue.arm());
        } catch (MalformedChainException e) {
            throw new AssertionError(e);
        }
    }

    private long answer(Chain chain) {
        Buffers out = chain.writable();
        long status = out.total() - 1;
        boolean fails = requests++ >= failFrom;
        if (!fails && content.byteSize() > 0) {
            transfer(chain.readable(), out, status);
        }
        out.putByte(status, (byte) (fails ? 1 : 0));
        return status + 1;
    }

    private void transfer(Buffers in, Buffers out, long readBytes) {
        long sector = 0;
        for (int k = 7; k >= 0; k--) {
            sector = sector << 8 | in.getByte(8 + k) & 0xff;
        }
        if (in.getByte(0) == 0) {
            out.put(0, content, sector * 512, readBytes);
        } else {
            in.get(16, content, sector * 512, in.total() - 16);
        }
    }

    /** Changes a byte behind the driver's back. */
    void corrupt(long offset) {
        byte old = content.get(ValueLayout.JAVA_BYTE, offset);
        content.set(ValueLayout.JAVA_BYTE, offset, (byte) ~old);
    }

    @Override
    public void ready() {}

    @Override
    public QueuePosition stop(int index) {
        return queue.position();
    }

    @Override
    public void close() {
        memory.close();
    }
}
