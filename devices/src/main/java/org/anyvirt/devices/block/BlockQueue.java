package org.anyvirt.devices.block;

import org.anyvirt.virtio.memory.Buffers;

/**
 * I/O on a {@link BlockStore} for one queue of a device.
 *
 * <p>Data plane: one thread, no allocation, nothing blocks. Each request starts asynchronously and
 * ends in one call of {@link BlockCompletions#completed}, made by {@link #reap} and by nothing
 * else. Ranges are in bytes, not empty, multiples of {@link BlockStore.Limits#blockSize}, and
 * inside the capacity: the device has checked. No more than the depth given at opening are started
 * at once. The buffers stay as they are until the request has ended.
 */
public interface BlockQueue extends AutoCloseable {
    /** Reads {@code length} bytes of the store into {@code into} from position {@code from} on. */
    void read(long token, long offset, Buffers into, long from, long length);

    /**
     * Writes {@code length} bytes of {@code source} from position {@code from} on.
     *
     * @param durable the request ends when the data would survive a loss of power, without a flush
     */
    void write(long token, long offset, Buffers source, long from, long length, boolean durable);

    /** Makes every write that has completed durable, on whichever queue of the store. */
    void flush(long token);

    /** The range's content is needed no more: it reads as zeros, as before, or as anything else. */
    void discard(long token, long offset, long length);

    /**
     * Makes the range read as zeros.
     *
     * @param mayUnmap whether the space may be given back
     */
    void writeZeroes(long token, long offset, long length, boolean mayUnmap);

    /** Hands the requests started since the last call to whoever does them, all at once. */
    void submit();

    /**
     * Reports requests that have ended.
     *
     * @return how many
     */
    int reap();

    /** Becomes readable when there is something to reap, or -1 when requests end at once. */
    int wakeFd();

    /**
     * Waits until nothing touches the memory of any request any more, then frees everything; ends
     * not reaped are not reported.
     */
    @Override
    void close();
}
