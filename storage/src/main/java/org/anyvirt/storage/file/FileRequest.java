package org.anyvirt.storage.file;

import org.anyvirt.virtio.memory.Buffers;

/** A request in flight: one of a queue's preallocated slots. Data plane. */
final class FileRequest {
    static final int READ = 0;
    static final int WRITE = 1;
    static final int FLUSH = 2;

    /** Tell a block device, punch a hole, or nothing: what works. */
    static final int DISCARD_BLOCKS = 3;

    static final int DISCARD = 4;

    /** Write zeroes by giving the space back, by marking it, or, where neither works, literally. */
    static final int UNMAP = 5;

    static final int ZERO_RANGE = 6;
    static final int WRITE_ZEROES = 7;

    /** Its slot, which is the user data of its io_uring entry. */
    final int slot;

    int kind;
    long token;

    /** What is left to do: {@code left} bytes at {@code offset} of the file. */
    long offset;

    long left;

    /** Where the rest is in memory. */
    Buffers buffers;

    long from;
    boolean durable;

    /** What is under way: so many bytes, through the bounce buffer or not. */
    long part;

    boolean bounced;

    /** The bounce buffer's position, while the request has one; else -1. */
    long bounce = -1;

    FileRequest nextWaiting;

    /** How often in a row the kernel has done nothing. */
    int idleAttempts;

    FileRequest(int slot) {
        this.slot = slot;
    }
}
