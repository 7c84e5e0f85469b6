package org.anyvirt.driver.block;

import java.util.concurrent.TimeUnit;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/**
 * How to drive a block device.
 *
 * @param queues how many to start
 * @param queueSize descriptors a queue
 * @param depth requests a queue that may be in flight
 * @param bufferSize bytes of data that a request can carry, a multiple of 512
 * @param segmentSize bytes of data an element, so that data spreads over several
 * @param indirect describes requests in indirect tables, where the device offers it
 * @param wanted the features to accept, as far as they are offered
 * @param spinNanos how long to poll for used buffers before sleeping until notified
 */
public record BlockOptions(
        int queues,
        int queueSize,
        int depth,
        int bufferSize,
        int segmentSize,
        boolean indirect,
        Features wanted,
        long spinNanos) {
    /** Everything that this driver can use, but packed rings and in-order use. */
    public static final Features ALL =
            Features.of(
                    FeatureBits.VIRTIO_F_VERSION_1,
                    FeatureBits.VIRTIO_F_INDIRECT_DESC,
                    FeatureBits.VIRTIO_F_EVENT_IDX,
                    BlockFeatureBits.VIRTIO_BLK_F_SIZE_MAX,
                    BlockFeatureBits.VIRTIO_BLK_F_SEG_MAX,
                    BlockFeatureBits.VIRTIO_BLK_F_RO,
                    BlockFeatureBits.VIRTIO_BLK_F_BLK_SIZE,
                    BlockFeatureBits.VIRTIO_BLK_F_FLUSH,
                    BlockFeatureBits.VIRTIO_BLK_F_TOPOLOGY,
                    BlockFeatureBits.VIRTIO_BLK_F_CONFIG_WCE,
                    BlockFeatureBits.VIRTIO_BLK_F_MQ,
                    BlockFeatureBits.VIRTIO_BLK_F_DISCARD,
                    BlockFeatureBits.VIRTIO_BLK_F_WRITE_ZEROES);

    /** One queue of 256, 32 requests of up to 64 KiB, all features, a short spin before sleep. */
    public static BlockOptions defaults() {
        return new BlockOptions(
                1, 256, 32, 65536, 65536, true, ALL, TimeUnit.MICROSECONDS.toNanos(20));
    }

    public BlockOptions withQueues(int count) {
        return new BlockOptions(
                count, queueSize, depth, bufferSize, segmentSize, indirect, wanted, spinNanos);
    }

    public BlockOptions withQueueSize(int descriptors) {
        return new BlockOptions(
                queues, descriptors, depth, bufferSize, segmentSize, indirect, wanted, spinNanos);
    }

    public BlockOptions withDepth(int requests) {
        return new BlockOptions(
                queues, queueSize, requests, bufferSize, segmentSize, indirect, wanted, spinNanos);
    }

    public BlockOptions withBuffers(int size, int segment) {
        return new BlockOptions(
                queues, queueSize, depth, size, segment, indirect, wanted, spinNanos);
    }

    public BlockOptions withIndirect(boolean tables) {
        return new BlockOptions(
                queues, queueSize, depth, bufferSize, segmentSize, tables, wanted, spinNanos);
    }

    public BlockOptions withWanted(Features features) {
        return new BlockOptions(
                queues, queueSize, depth, bufferSize, segmentSize, indirect, features, spinNanos);
    }

    /** 0 sleeps at once; {@link Long#MAX_VALUE} never sleeps. */
    public BlockOptions withSpinNanos(long nanos) {
        return new BlockOptions(
                queues, queueSize, depth, bufferSize, segmentSize, indirect, wanted, nanos);
    }
}
