package org.anyvirt.driver.block;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.anyvirt.driver.device.RemoteDevice;
import org.anyvirt.driver.queue.DriverQueue;
import org.anyvirt.driver.queue.QueueNotifications;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/**
 * A driver for block devices (VIRTIO 1.3, 5.2): negotiates, starts queues, and gives out each
 * queue's {@link BlockRequests}.
 *
 * <p>Control plane, one thread; each queue's requests belong to the one thread that uses them.
 */
public final class BlockDriver implements AutoCloseable {
    /** Header and status. */
    private static final int ELEMENTS_BESIDE_DATA = 2;

    private final RemoteDevice device;
    private final List<BlockRequests> queues = new ArrayList<>();

    private BlockDriver(RemoteDevice device) {
        this.device = device;
    }

    /**
     * Negotiates with the device and starts its queues.
     *
     * @param device closed with the driver, and also when starting fails
     * @throws IllegalArgumentException when the options do not fit each other or the device
     */
    public static BlockDriver start(RemoteDevice device, BlockOptions options) throws IOException {
        BlockDriver driver = new BlockDriver(device);
        try {
            driver.start(options);
        } catch (IOException | RuntimeException e) {
            device.close();
            throw e;
        }
        return driver;
    }

    private void start(BlockOptions options) throws IOException {
        device.accept(options.wanted().and(device.offered()));
        int most = has(BlockFeatureBits.VIRTIO_BLK_F_MQ) ? config().numQueues() : 1;
        if (options.queues() > Math.min(most, device.queuesMax())) {
            throw new IllegalArgumentException(
                    "the device has %d queues, not %d"
                            .formatted(Math.min(most, device.queuesMax()), options.queues()));
        }
        boolean indirect = options.indirect() && has(FeatureBits.VIRTIO_F_INDIRECT_DESC);
        int elements = elements(options);
        int descriptors = options.depth() * (indirect ? 1 : elements);
        if (descriptors > options.queueSize() || elements > options.queueSize()) {
            throw new IllegalArgumentException(
                    "%d requests of %d elements do not fit into %d descriptors%s"
                            .formatted(
                                    options.depth(),
                                    elements,
                                    options.queueSize(),
                                    indirect ? "" : "; indirect tables would help"));
        }
        for (int index = 0; index < options.queues(); index++) {
            DriverQueue queue =
                    DriverQueue.create(
                            device.memory(),
                            options.queueSize(),
                            indirect ? elements : 0,
                            device.accepted());
            QueueNotifications notifications = device.start(index, queue);
            queues.add(new BlockRequests(queue, notifications, device.memory(), options, indirect));
        }
        device.ready();
    }

    private static int elements(BlockOptions options) {
        int data = (options.bufferSize() + options.segmentSize() - 1) / options.segmentSize();
        return data + ELEMENTS_BESIDE_DATA;
    }

    private boolean has(int bit) {
        return device.accepted().has(bit);
    }

    public RemoteDevice device() {
        return device;
    }

    public Features accepted() {
        return device.accepted();
    }

    /** The configuration space as it is now. */
    public BlockConfig config() throws IOException {
        return BlockConfig.decode(device.readConfig(0, BlockConfig.SIZE));
    }

    /**
     * Switches between writeback (true) and writethrough; needs {@code VIRTIO_BLK_F_CONFIG_WCE}.
     */
    public void writeback(boolean on) throws IOException {
        device.writeConfig(BlockConfig.WRITEBACK, new byte[] {(byte) (on ? 1 : 0)});
    }

    /** How many queues are started. */
    public int queues() {
        return queues.size();
    }

    public BlockRequests queue(int index) {
        return queues.get(index);
    }

    /** The device as a disk with blocking calls, over the first queue. */
    public Disk disk() {
        return new Disk(queues.getFirst());
    }

    /**
     * Stops a queue in which nothing is in flight, and starts it again where it was.
     *
     * @return where the device stood
     */
    public QueuePosition restart(int index) throws IOException {
        BlockRequests requests = queues.get(index);
        QueuePosition position = device.stop(index);
        requests.notifications(device.start(index, requests.queue()));
        return position;
    }

    /** Lets the device go; nothing may be in flight any more that anyone waits for. */
    @Override
    public void close() {
        device.close();
    }
}
