package org.anyvirt.virtio.device;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.IntPredicate;

/**
 * A device's configuration space (VIRTIO 1.3, 2.5): bytes in little-endian layout, a generation,
 * and which fields the driver may write.
 *
 * <p>Control plane; safe from any thread.
 */
public final class ConfigSpace {
    private final byte[] bytes;
    private final IntPredicate driverMayWrite;
    private final List<Runnable> deviceChanges = new CopyOnWriteArrayList<>();
    private final List<Runnable> driverWrites = new CopyOnWriteArrayList<>();
    private int generation;

    /**
     * @param initial the bytes at start
     * @param driverMayWrite whether the driver may write the byte at this offset
     */
    public ConfigSpace(byte[] initial, IntPredicate driverMayWrite) {
        this.bytes = initial.clone();
        this.driverMayWrite = driverMayWrite;
    }

    /** In bytes. */
    public int size() {
        return bytes.length;
    }

    /** Counts the changes that the device made, modulo 2^32. */
    public synchronized int generation() {
        return generation;
    }

    /**
     * Reads for the driver. Bytes beyond the end read as zero: a driver of a newer specification
     * may look for fields that this device has not.
     *
     * @throws IllegalArgumentException when offset or length is negative
     */
    public synchronized byte[] read(int offset, int length) {
        if (offset < 0 || length < 0) {
            throw new IllegalArgumentException(
                    "no %d bytes at %d in a configuration space".formatted(length, offset));
        }
        byte[] out = new byte[length];
        if (offset < bytes.length) {
            System.arraycopy(bytes, offset, out, 0, Math.min(length, bytes.length - offset));
        }
        return out;
    }

    /**
     * Writes for the driver.
     *
     * @return false, with nothing written, when any of the bytes is beyond the end or not writable
     */
    public boolean write(int offset, byte[] values) {
        synchronized (this) {
            if (offset < 0 || offset > bytes.length - values.length) {
                return false;
            }
            for (int i = 0; i < values.length; i++) {
                if (!driverMayWrite.test(offset + i)) {
                    return false;
                }
            }
            System.arraycopy(values, 0, bytes, offset, values.length);
        }
        driverWrites.forEach(Runnable::run);
        return true;
    }

    /** Changes bytes for a driver that has not read them yet: nobody is told. */
    public synchronized void initialize(int offset, byte[] values) {
        System.arraycopy(values, 0, bytes, offset, values.length);
    }

    /** Changes bytes for the device, and tells the driver through the transport. */
    public void update(int offset, byte[] values) {
        synchronized (this) {
            System.arraycopy(values, 0, bytes, offset, values.length);
            generation++;
        }
        deviceChanges.forEach(Runnable::run);
    }

    /** Calls {@code listener} after each {@link #update}; for the transport. */
    public AutoCloseable onDeviceChange(Runnable listener) {
        deviceChanges.add(listener);
        return () -> deviceChanges.remove(listener);
    }

    /** Calls {@code listener} after each successful {@link #write}; for the device. */
    public void onDriverWrite(Runnable listener) {
        driverWrites.add(listener);
    }
}
