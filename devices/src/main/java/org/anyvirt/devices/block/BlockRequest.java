package org.anyvirt.devices.block;

import org.anyvirt.virtio.queue.Chain;

/** A request in flight: one of a queue's preallocated slots. Data plane. */
final class BlockRequest {
    /** Its slot, which is its token at the store. */
    final int token;

    Chain chain;
    int type;

    /** In bytes. */
    long length;

    /** The ranges of a discard or write-zeroes request, copied before they were checked. */
    final long[] sector = new long[BlockDevice.RANGES_MAX];

    final int[] sectors = new int[BlockDevice.RANGES_MAX];
    final boolean[] unmap = new boolean[BlockDevice.RANGES_MAX];
    int ranges;

    /** The next range to start. */
    int nextRange;

    /** A flush is to follow, so that what was done is durable. */
    boolean flushes;

    BlockRequest(int token) {
        this.token = token;
    }
}
