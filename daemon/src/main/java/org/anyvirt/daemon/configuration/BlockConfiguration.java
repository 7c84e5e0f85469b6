package org.anyvirt.daemon.configuration;

import org.anyvirt.devices.block.BlockDevice;

/**
 * A block device to serve. Absent properties are null when it is made, and have their defaults
 * afterwards.
 *
 * @param store what it stands on
 * @param on where it meets its driver
 * @param queues how many virtqueues are offered; a driver may use fewer
 * @param queueSize the most descriptors of a virtqueue
 * @param serial what the driver's get-id request answers; "" for the device's name
 * @param readOnly whether writes are refused
 * @param cache when writes are durable
 * @param runners threads that serve the virtqueues
 * @param poll what these do when there is nothing to do
 */
public record BlockConfiguration(
        StoreChoice store,
        Binding on,
        Integer queues,
        Integer queueSize,
        String serial,
        Boolean readOnly,
        CacheMode cache,
        Integer runners,
        Polling poll) {
    public static final int QUEUES_MAX = 256;
    public static final int QUEUE_SIZE_MIN = 4;
    public static final int QUEUE_SIZE_MAX = 32768; // VIRTIO 1.3, 2.6
    public static final int SERIAL_BYTES_MAX = 20; // VIRTIO 1.3, 5.2.6: VIRTIO_BLK_T_GET_ID

    public BlockConfiguration {
        if (store == null) {
            throw InvalidValueException.missing("store", "file:PATH, memory:SIZE or zero:SIZE");
        }
        if (on == null) {
            throw InvalidValueException.missing("on", "vhost-user:PATH");
        }
        queues = within("queues", queues, BlockDevice.Config.DEFAULT.queues(), QUEUES_MAX);
        queueSize =
                within(
                        "queue-size",
                        queueSize,
                        BlockDevice.Config.DEFAULT.queueSize(),
                        QUEUE_SIZE_MAX);
        if (queueSize < QUEUE_SIZE_MIN || Integer.bitCount(queueSize) != 1) {
            throw InvalidValueException.of(
                    "queue-size",
                    queueSize,
                    "a power of two from %d to %d".formatted(QUEUE_SIZE_MIN, QUEUE_SIZE_MAX));
        }
        serial = serial == null ? "" : serial;
        if (serial.length() > SERIAL_BYTES_MAX
                || !serial.chars().allMatch(c -> c >= ' ' && c <= '~')) {
            throw InvalidValueException.of(
                    "serial", serial, "at most %d ASCII characters".formatted(SERIAL_BYTES_MAX));
        }
        readOnly = readOnly != null && readOnly;
        cache = cache == null ? CacheMode.WRITEBACK : cache;
        runners = within("runners", runners, 1, queues);
        poll = poll == null ? Polling.ADAPTIVE : poll;
    }

    /** All else by default. */
    public static BlockConfiguration of(StoreChoice store, Binding on, boolean readOnly) {
        return new BlockConfiguration(store, on, null, null, null, readOnly, null, null, null);
    }

    /** The same for a process with another working directory. */
    public BlockConfiguration withAbsolutePaths() {
        return new BlockConfiguration(
                store.withAbsolutePath(),
                on.withAbsolutePath(),
                queues,
                queueSize,
                serial,
                readOnly,
                cache,
                runners,
                poll);
    }

    private static int within(String property, Integer value, int byDefault, int max) {
        if (value == null) {
            return byDefault;
        }
        if (value < 1 || value > max) {
            throw InvalidValueException.of(property, value, "a whole number from 1 to " + max);
        }
        return value;
    }
}
