package org.anyvirt.devices.block;

import static org.anyvirt.virtio.spec.BlockLayout.*;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.driver.queue.DriverChain;
import org.anyvirt.driver.queue.DriverQueue;
import org.anyvirt.virtio.device.QueueHandler;
import org.anyvirt.virtio.memory.MemoryRegion;
import org.anyvirt.virtio.memory.PremappedMemory;
import org.anyvirt.virtio.memory.RegionTable;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.queue.DeviceVirtqueue;
import org.anyvirt.virtio.queue.MalformedChainException;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.queue.Virtqueues;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/** A driver and one queue of a block device, in one thread, over a ring in shared memory. */
final class Rig implements AutoCloseable {
    static final Features RING =
            Features.of(FeatureBits.VIRTIO_F_VERSION_1, FeatureBits.VIRTIO_F_INDIRECT_DESC);

    final GuestMemory guest;
    final BlockDevice device;
    final DriverQueue driver;
    final DeviceVirtqueue queue;
    final QueueHandler handler;

    /** Bytes written, by the token of the request. */
    final Map<Long, Long> used = new HashMap<>();

    private long tokens;

    Rig(BlockDevice device, int size, Features accepted) {
        this.device = device;
        try {
            guest = GuestMemory.ofSize(8 << 20);
            driver = DriverQueue.create(guest, size, 64, accepted);
            RegionTable table =
                    RegionTable.of(
                            guest.regions().stream()
                                    .map(region ->
                                            new MemoryRegion(
                                                    region.placement().guestAddress(),
                                                    region.placement().size(),
                                                    region.memory()))
                                    .toList());
            boolean packed = accepted.has(FeatureBits.VIRTIO_F_RING_PACKED);
            queue =
                    Virtqueues.create(
                            3,
                            driver.memory().layout(),
                            packed ? QueuePosition.PACKED_START : QueuePosition.SPLIT_START,
                            accepted,
                            new PremappedMemory(table),
                            () -> {});
        } catch (IOException | UnmappedRangeException e) {
            throw new AssertionError(e);
        }
        device.accepted(accepted);
        handler = device.start(3, queue, accepted);
    }

    static Rig of(HeldStore store, int... features) {
        Features accepted = RING.or(Features.of(features));
        return new Rig(new BlockDevice(BlockDevice.Config.DEFAULT, store), 64, accepted);
    }

    /** One turn of the device, and what the driver then sees. */
    int turn() throws MalformedChainException {
        int work = handler.poll(128);
        queue.flush();
        driver.reap(
                (token, written) -> {
                    if (used.put(token, written) != null) {
                        throw new AssertionError("used twice: " + token);
                    }
                },
                Integer.MAX_VALUE);
        return work;
    }

    Request request() {
        return new Request();
    }

    /** A request with the usual header. */
    Request request(int type, long sector) {
        return request().readable(header(type, sector));
    }

    Request in(long sector, int length) {
        return request(VIRTIO_BLK_T_IN, sector).writable(length).writable(1);
    }

    Request out(long sector, byte[] data) {
        return request(VIRTIO_BLK_T_OUT, sector).readable(data).writable(1);
    }

    static byte[] header(int type, long sector) {
        return ByteBuffer.allocate(16)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(0, type)
                .putLong(8, sector)
                .array();
    }

    static byte[] range(long sector, int sectors, int flags) {
        return ByteBuffer.allocate(16)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(sector)
                .putInt(sectors)
                .putInt(flags)
                .array();
    }

    @Override
    public void close() {
        handler.close();
        queue.close();
        device.close();
        guest.close();
    }

    /** A chain, element by element. */
    final class Request {
        private static final byte UNWRITTEN = (byte) 0xEE;

        private final DriverChain chain = new DriverChain();
        private final List<SharedRange> writable = new ArrayList<>();
        private final long token = ++tokens;

        Request readable(byte[] bytes) {
            if (bytes.length > 0) {
                SharedRange range = guest.allocate(bytes.length, 1);
                range.memory().asByteBuffer().put(bytes);
                chain.readable(range.address(), bytes.length);
            }
            return this;
        }

        Request writable(int length) {
            if (length > 0) {
                SharedRange range = guest.allocate(length, 1);
                range.memory().fill(UNWRITTEN);
                writable.add(range);
                chain.writable(range.address(), length);
            }
            return this;
        }

        /** Makes it available: in one indirect table. */
        Request send() {
            if (!driver.add(chain.indirectFrom(0), token)) {
                throw new AssertionError("the ring is full");
            }
            driver.publish();
            return this;
        }

        /** Makes it available, and gives the device its turn. */
        Request run() throws MalformedChainException {
            send();
            turn();
            return this;
        }

        boolean isUsed() {
            return used.containsKey(token);
        }

        long written() {
            return used.get(token);
        }

        /** All device-writable bytes. */
        byte[] result() {
            int total = (int) writable.stream().mapToLong(SharedRange::size).sum();
            ByteBuffer result = ByteBuffer.allocate(total);
            writable.forEach(range -> result.put(range.memory().asByteBuffer()));
            return result.array();
        }

        byte[] data() {
            byte[] result = result();
            return java.util.Arrays.copyOf(result, result.length - 1);
        }

        /** The last device-writable byte of a used request. */
        int status() {
            if (!isUsed()) {
                throw new AssertionError("not used yet");
            }
            byte[] result = result();
            return result[result.length - 1];
        }
    }
}
