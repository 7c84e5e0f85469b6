package org.anyvirt.driver.queue;

import java.util.Arrays;

/**
 * The elements of one buffer that a driver is about to make available (VIRTIO 1.3, 2.6):
 * device-readable ones, then device-writable ones, by bus address.
 *
 * <p>Data plane. Filled again for each request; it grows to the longest chain it has seen.
 */
public final class DriverChain {
    private static final int FIRST_CAPACITY = 8;
    private static final long LENGTH_MAX = 0xffff_ffffL;

    private long[] address = new long[FIRST_CAPACITY];
    private long[] length = new long[FIRST_CAPACITY];
    private int elements;
    private int readable;
    private int indirectFrom = Integer.MAX_VALUE;
    private long writableBytes;

    /** A chain without elements. */
    public DriverChain() {}

    /** Forgets everything. */
    public DriverChain clear() {
        elements = 0;
        readable = 0;
        indirectFrom = Integer.MAX_VALUE;
        writableBytes = 0;
        return this;
    }

    /**
     * Appends an element that the device reads.
     *
     * @param busAddress its first byte
     * @param bytes 1 to 2^32 - 1
     * @throws IllegalStateException after a device-writable element (VIRTIO 1.3, 2.7.4.2)
     */
    public DriverChain readable(long busAddress, long bytes) {
        if (readable != elements) {
            throw new IllegalStateException(
                    "a device-readable element may not follow a device-writable one");
        }
        append(busAddress, bytes);
        readable = elements;
        return this;
    }

    /** Appends an element that the device writes; as {@link #readable}. */
    public DriverChain writable(long busAddress, long bytes) {
        append(busAddress, bytes);
        writableBytes += bytes;
        return this;
    }

    /**
     * Puts the elements from number {@code element} on into an indirect table (VIRTIO 1.3, 2.7.5.3,
     * 2.8.7); the ones before are described in the ring.
     */
    public DriverChain indirectFrom(int element) {
        indirectFrom = element;
        return this;
    }

    public int elements() {
        return elements;
    }

    long address(int element) {
        return address[element];
    }

    long length(int element) {
        return length[element];
    }

    boolean isWritable(int element) {
        return element >= readable;
    }

    /** The elements that the ring itself describes. */
    int direct() {
        return Math.min(indirectFrom, elements);
    }

    /** The descriptors of the ring that the chain takes up. */
    int descriptors() {
        return indirectFrom < elements ? indirectFrom + 1 : elements;
    }

    /** The length of all device-writable elements. */
    long writableBytes() {
        return writableBytes;
    }

    private void append(long busAddress, long bytes) {
        if (bytes < 1 || bytes > LENGTH_MAX) {
            throw new IllegalArgumentException("an element has 1 to 2^32 - 1 bytes, not " + bytes);
        }
        if (elements == address.length) {
            address = Arrays.copyOf(address, 2 * elements);
            length = Arrays.copyOf(length, 2 * elements);
        }
        address[elements] = busAddress;
        length[elements] = bytes;
        elements++;
    }
}
