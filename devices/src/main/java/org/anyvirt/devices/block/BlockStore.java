package org.anyvirt.devices.block;

import java.io.IOException;

/**
 * What a block device stands on.
 *
 * <p>Control plane, and safe from any thread; each queue of the device does its I/O through a
 * {@link BlockQueue} of its own.
 */
public interface BlockStore extends AutoCloseable {
    /** In bytes; a multiple of {@link Limits#blockSize}. */
    long capacity();

    Limits limits();

    /**
     * Changes the capacity, where the store can. Requests in flight beyond a smaller capacity end
     * in whatever way; what a larger capacity adds reads as zeros.
     *
     * @param capacity in bytes, a positive multiple of the block size
     * @throws IOException when the store cannot, saying why
     */
    void resize(long capacity) throws IOException;

    /**
     * Opens a queue for I/O. Only the thread that serves the device's queue uses it.
     *
     * @param depth the most requests in flight at once
     * @param completions told of each request's end, during {@link BlockQueue#reap}
     */
    BlockQueue open(int depth, BlockCompletions completions) throws IOException;

    /** For people: {@code file:/srv/disk.img}. */
    String describe();

    /** The name of an error of a request, for people. */
    default String errorName(int error) {
        return "errno " + error;
    }

    /** Every queue has been closed: makes what was written durable, and lets go of everything. */
    @Override
    void close() throws IOException;

    /**
     * What the store can do.
     *
     * @param readOnly no request but reads, and flushes, which do nothing
     * @param blockSize in bytes, a power of two of at least 512: requests begin and end at its
     *     multiples
     * @param physicalBlockSize in bytes, a power of two of at least the block size: smaller writes
     *     are slower
     * @param discards gives discarded ranges back; otherwise a discard does nothing
     * @param discardAlignment in bytes, a multiple of the block size: what is given back
     * @param volatileCache completed writes may be lost with power until a flush; false when every
     *     write is durable once completed
     */
    record Limits(
            boolean readOnly,
            int blockSize,
            int physicalBlockSize,
            boolean discards,
            int discardAlignment,
            boolean volatileCache) {}
}
