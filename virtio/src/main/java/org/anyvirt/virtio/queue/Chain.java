package org.anyvirt.virtio.queue;

import org.anyvirt.virtio.memory.Buffers;
import org.anyvirt.virtio.spec.DescriptorLayout;

/**
 * One descriptor chain that a device has taken and not yet completed (VIRTIO 1.3, 2.6).
 *
 * <p>Data plane. A flyweight, one a head, that the queue fills again when the driver makes a head
 * available; after its completion nobody may look at it. Its token tells the uses apart: a
 * completion with the token of an earlier use is stale and has no effect.
 */
public final class Chain {
    private final Buffers readable = new Buffers();
    private final Buffers writable = new Buffers();
    private int head;
    private long token;

    // The queue's own, from here on.

    /** The descriptors that it has in a packed ring. */
    int descriptors;

    /** What the device said it wrote, from the completion on. */
    long written;

    /** Its memory is released, and it may go to the used ring. */
    boolean ended;

    /** The next one that goes to the used ring. */
    Chain nextUsed;

    /** The one that was handed over before it. */
    Chain handedOverBefore;

    Chain() {}

    /** Names this use of this head; unique while the queue is started. */
    public long token() {
        return token;
    }

    /** The device-readable part. */
    public Buffers readable() {
        return readable;
    }

    /** The device-writable part. */
    public Buffers writable() {
        return writable;
    }

    /** The head's index in the descriptor table, or the buffer id of a packed ring; for logs. */
    public int head() {
        return head;
    }

    /** What the used ring says was written: 32 bits (VIRTIO 1.3, 2.7.8), so at most this. */
    long usedLength() {
        return Math.min(written, DescriptorLayout.LEN_MASK);
    }

    void use(int newHead, long newToken) {
        head = newHead;
        token = newToken;
        ended = false;
    }
}
