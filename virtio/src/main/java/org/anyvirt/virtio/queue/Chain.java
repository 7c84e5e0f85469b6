package org.anyvirt.virtio.queue;

import org.anyvirt.virtio.memory.Buffers;

/**
 * One descriptor chain that a device has taken and not yet completed (VIRTIO 1.3, 2.6).
 *
 * <p>Data plane. A flyweight, one a head, that the queue fills again each time the driver makes the
 * head available. Its token tells the uses apart: a completion with the token of an earlier use is
 * stale and has no effect.
 */
public final class Chain {
    private final int head;
    private final Buffers readable = new Buffers();
    private final Buffers writable = new Buffers();
    private long token;

    Chain(int head) {
        this.head = head;
    }

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

    void token(long next) {
        token = next;
    }
}
