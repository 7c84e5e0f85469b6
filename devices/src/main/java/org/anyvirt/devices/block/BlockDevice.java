package org.anyvirt.devices.block;

import static org.anyvirt.virtio.spec.BlockLayout.*;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.anyvirt.devices.DeviceFactory;
import org.anyvirt.virtio.device.ConfigSpace;
import org.anyvirt.virtio.device.Device;
import org.anyvirt.virtio.device.QueueHandler;
import org.anyvirt.virtio.device.VirtqueueSpec;
import org.anyvirt.virtio.queue.Virtqueue;
import org.anyvirt.virtio.spec.DeviceId;
import org.anyvirt.virtio.spec.Features;

/**
 * A disk (VIRTIO 1.3, 5.2) on any {@link BlockStore}.
 *
 * <p>Control plane; {@link BlockHandler} is the data plane of one of its queues.
 */
public final class BlockDevice implements Device {
    public static final DeviceFactory<Config, BlockStore> FACTORY =
            new DeviceFactory<>(DeviceId.BLOCK, Config.class, BlockStore.class, BlockDevice::new);

    /**
     * What a user chooses. Null means the default.
     *
     * @param queues how many request queues the driver may use, 1 to 256; 16
     * @param queueSize the most descriptors of a queue, a power of two from 4 to 32768; 1024
     * @param serial the device's identity as the driver reads it, up to 20 characters of ASCII;
     *     none
     * @param readOnly refuses writes, also where the store would take them
     * @param writethrough every write is durable when it completes, until a driver that negotiated
     *     VIRTIO_BLK_F_CONFIG_WCE asks otherwise
     */
    public record Config(
            Integer queues,
            Integer queueSize,
            String serial,
            boolean readOnly,
            boolean writethrough) {
        public static final Config DEFAULT = new Config(null, null, null, false, false);

        public Config {
            queues = queues == null ? 16 : queues;
            queueSize = queueSize == null ? 1024 : queueSize;
            serial = serial == null ? "" : serial;
            if (queues < 1 || queues > 256) {
                throw new IllegalArgumentException("queues: 1 to 256 are possible, not " + queues);
            }
            if (queueSize < 4 || queueSize > 32768 || Integer.bitCount(queueSize) != 1) {
                throw new IllegalArgumentException(
                        "queueSize: a power of two from 4 to 32768 is expected, not " + queueSize);
            }
            if (serial.length() > VIRTIO_BLK_ID_BYTES
                    || !serial.chars().allMatch(c -> c >= ' ' && c <= '~')) {
                throw new IllegalArgumentException(
                        "serial: up to %d printable characters of ASCII are expected, not \"%s\""
                                .formatted(VIRTIO_BLK_ID_BYTES, serial));
            }
        }
    }

    /**
     * What a driver can use with the smallest queue that is common, 128, and without indirect
     * descriptors: all but the header's and the status byte's descriptor.
     */
    private static final int SEGMENTS_MAX = 126;

    /** 2 GiB: one range keeps a store busy for so long at most. */
    static final int RANGE_SECTORS_MAX = 1 << 22;

    /** Ranges of one discard or write-zeroes request. */
    static final int RANGES_MAX = 32;

    private final Config config;
    private final BlockStore store;
    private final BlockStore.Limits limits;
    private final boolean readOnly;
    private final Features offered;
    private final ConfigSpace space;
    private final List<BlockHandler> handlers = new ArrayList<>();
    private BlockCounters ofStopped = BlockCounters.NONE;

    // Read by the handlers on their threads.
    private volatile long capacity;
    private volatile boolean writeback;

    /**
     * @param store belongs to the device from now on
     */
    public BlockDevice(Config config, BlockStore store) {
        this.config = config;
        this.store = store;
        this.limits = store.limits();
        this.readOnly = config.readOnly() || limits.readOnly();
        this.capacity = store.capacity();
        this.offered = features();
        this.space = new ConfigSpace(configSpace(), this::driverMayWrite);
        writeback(!config.writethrough());
        space.onDriverWrite(() -> writeback = space.read(CONFIG_WRITEBACK, 1)[0] != 0);
    }

    @Override
    public DeviceId id() {
        return DeviceId.BLOCK;
    }

    @Override
    public Features offered() {
        return offered;
    }

    @Override
    public List<VirtqueueSpec> virtqueues() {
        return IntStream.rangeClosed(1, config.queues())
                .mapToObj(i -> new VirtqueueSpec("requestq" + i, config.queueSize()))
                .toList();
    }

    @Override
    public ConfigSpace config() {
        return space;
    }

    @Override
    public void accepted(Features features) {
        // VIRTIO 1.3, 5.2.5.2: a driver that cannot flush starts with writethrough.
        if (features.has(VIRTIO_BLK_F_CONFIG_WCE) && !features.has(VIRTIO_BLK_F_FLUSH)) {
            writeback(false);
        }
    }

    /**
     * @throws UncheckedIOException when the store cannot open another queue
     */
    @Override
    public QueueHandler start(int index, Virtqueue queue, Features accepted) {
        try {
            BlockHandler handler = new BlockHandler(this, queue, accepted, store);
            synchronized (this) {
                handlers.add(handler);
            }
            return handler;
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "queue %d of %s does not open: %s"
                            .formatted(index, store.describe(), e.getMessage()),
                    e);
        }
    }

    /** The cache mode, one byte as in the configuration space. */
    @Override
    public byte[] save() {
        return space.read(CONFIG_WRITEBACK, 1);
    }

    @Override
    public void restore(byte[] state) {
        if (state.length != 1) {
            throw new IllegalArgumentException(
                    "the state of a block device is 1 byte, not " + state.length);
        }
        writeback(state[0] != 0);
    }

    @Override
    public void reset() {
        writeback(!config.writethrough());
    }

    /** All queues have stopped: closes the store. */
    @Override
    public void close() {
        try {
            store.close();
        } catch (IOException e) {
            throw new UncheckedIOException(store.describe() + ": " + e.getMessage(), e);
        }
    }

    /** In bytes. */
    public long capacity() {
        return capacity;
    }

    /**
     * Changes the capacity and tells the driver. Requests beyond a smaller one fail from now on.
     *
     * @param newCapacity in bytes
     * @throws IOException when the store cannot; the capacity stays as it was
     */
    public synchronized void resize(long newCapacity) throws IOException {
        if (newCapacity <= 0 || newCapacity % limits.blockSize() != 0) {
            throw new IllegalArgumentException(
                    "the capacity of %s is a positive multiple of %d bytes, not %d"
                            .formatted(store.describe(), limits.blockSize(), newCapacity));
        }
        long before = capacity;
        // A smaller capacity holds before the store shrinks, a larger one after it has grown.
        capacity = Math.min(before, newCapacity);
        try {
            store.resize(newCapacity);
        } catch (IOException e) {
            capacity = before;
            throw e;
        }
        capacity = newCapacity;
        space.update(
                CONFIG_CAPACITY,
                littleEndian(Long.BYTES).putLong(0, newCapacity / SECTOR_SIZE).array());
    }

    /** The sum over all queues, also those that have stopped. */
    public synchronized BlockCounters counters() {
        BlockCounters sum = ofStopped;
        for (BlockHandler handler : handlers) {
            sum = sum.plus(handler.counters());
        }
        return sum;
    }

    synchronized void stopped(BlockHandler handler) {
        if (handlers.remove(handler)) {
            ofStopped = ofStopped.plus(handler.counters());
        }
    }

    boolean isReadOnly() {
        return readOnly;
    }

    boolean isWriteback() {
        return writeback;
    }

    /** What VIRTIO_BLK_T_GET_ID returns. */
    byte[] identity() {
        byte[] id = new byte[VIRTIO_BLK_ID_BYTES];
        byte[] serial = config.serial().getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(serial, 0, id, 0, serial.length);
        return id;
    }

    private void writeback(boolean on) {
        writeback = on;
        space.initialize(CONFIG_WRITEBACK, new byte[] {(byte) (on ? 1 : 0)});
    }

    private boolean driverMayWrite(int offset) {
        return offset == CONFIG_WRITEBACK && offered.has(VIRTIO_BLK_F_CONFIG_WCE);
    }

    private Features features() {
        Features features =
                Features.of(
                        VIRTIO_BLK_F_SEG_MAX,
                        VIRTIO_BLK_F_BLK_SIZE,
                        VIRTIO_BLK_F_TOPOLOGY,
                        VIRTIO_BLK_F_FLUSH);
        if (config.queues() > 1) {
            features = features.with(VIRTIO_BLK_F_MQ);
        }
        if (readOnly) {
            return features.with(VIRTIO_BLK_F_RO);
        }
        if (limits.discards()) {
            features = features.with(VIRTIO_BLK_F_DISCARD);
        }
        return features.with(VIRTIO_BLK_F_CONFIG_WCE).with(VIRTIO_BLK_F_WRITE_ZEROES);
    }

    private byte[] configSpace() {
        int blocks = limits.physicalBlockSize() / limits.blockSize();
        ByteBuffer bytes =
                littleEndian(CONFIG_SIZE)
                        .putLong(CONFIG_CAPACITY, capacity / SECTOR_SIZE)
                        .putInt(CONFIG_SEG_MAX, Math.min(SEGMENTS_MAX, config.queueSize() - 2))
                        .putInt(CONFIG_BLK_SIZE, limits.blockSize())
                        .put(
                                CONFIG_PHYSICAL_BLOCK_EXP,
                                (byte) Integer.numberOfTrailingZeros(blocks))
                        .putShort(CONFIG_MIN_IO_SIZE, (short) blocks)
                        .putShort(CONFIG_NUM_QUEUES, config.queues().shortValue());
        if (offered.has(VIRTIO_BLK_F_DISCARD)) {
            bytes.putInt(CONFIG_MAX_DISCARD_SECTORS, RANGE_SECTORS_MAX)
                    .putInt(CONFIG_MAX_DISCARD_SEG, RANGES_MAX)
                    .putInt(
                            CONFIG_DISCARD_SECTOR_ALIGNMENT,
                            limits.discardAlignment() / SECTOR_SIZE);
        }
        if (offered.has(VIRTIO_BLK_F_WRITE_ZEROES)) {
            bytes.putInt(CONFIG_MAX_WRITE_ZEROES_SECTORS, RANGE_SECTORS_MAX)
                    .putInt(CONFIG_MAX_WRITE_ZEROES_SEG, RANGES_MAX)
                    .put(CONFIG_WRITE_ZEROES_MAY_UNMAP, (byte) (limits.discards() ? 1 : 0));
        }
        return bytes.array();
    }

    private static ByteBuffer littleEndian(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }
}
