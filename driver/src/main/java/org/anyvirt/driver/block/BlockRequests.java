package org.anyvirt.driver.block;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.concurrent.TimeUnit;
import org.anyvirt.driver.memory.SharedMemory;
import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.driver.queue.DriverChain;
import org.anyvirt.driver.queue.DriverQueue;
import org.anyvirt.driver.queue.QueueNotifications;
import org.anyvirt.driver.queue.UsedBuffers;

/**
 * The requests of one queue of a block device (VIRTIO 1.3, 5.2.6).
 *
 * <p>Data plane: one thread, no allocation. Each request in flight has a slot with a data buffer of
 * its own in shared memory, so that nothing is copied: fill {@link #data} at {@link #dataOffset},
 * start the request, {@link #submit}, and {@link #poll} or {@link #await} its end.
 */
public final class BlockRequests {
    /** The unit of every position and length of the protocol. */
    public static final int SECTOR = 512;

    private static final int VIRTIO_BLK_T_IN = 0;
    private static final int VIRTIO_BLK_T_OUT = 1;
    private static final int VIRTIO_BLK_T_FLUSH = 4;
    private static final int VIRTIO_BLK_T_GET_ID = 8;
    private static final int VIRTIO_BLK_T_DISCARD = 11;
    private static final int VIRTIO_BLK_T_WRITE_ZEROES = 13;

    /** Bytes of a device's name, padded with NULs. */
    static final int ID_SIZE = 20;

    private static final int HEADER_SIZE = 16;
    private static final int RANGE_SIZE = 16;

    /** A slot's header, range and status: a cache line of their own. */
    private static final int SLOT_STRIDE = 64;

    private static final int RANGE = 16;
    private static final int STATUS = 32;

    private static final ValueLayout.OfInt LE32 =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE64 =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final DriverQueue queue;
    private final DriverChain chain = new DriverChain();
    private final boolean indirect;
    private final int segmentSize;
    private final int bufferSize;
    private final long spinNanos;
    private final MemorySegment control;
    private final long controlAddress;
    private final MemorySegment data;
    private final long dataAddress;
    private final int[] idle;
    private final long[] written;
    private final UsedBuffers used = this::used;
    private QueueNotifications notifications;
    private int idleCount;
    private BlockCompletions completions;
    private long notificationsSent;
    private long sleeps;

    BlockRequests(
            DriverQueue queue,
            QueueNotifications notifications,
            SharedMemory memory,
            BlockOptions options,
            boolean indirect) {
        this.queue = queue;
        this.notifications = notifications;
        this.indirect = indirect;
        this.segmentSize = options.segmentSize();
        this.bufferSize = options.bufferSize();
        this.spinNanos = options.spinNanos();
        int depth = options.depth();
        SharedRange slots = memory.allocate((long) depth * SLOT_STRIDE, SLOT_STRIDE);
        this.control = slots.memory();
        this.controlAddress = slots.address();
        SharedRange buffers = memory.allocate((long) depth * bufferSize, 4096);
        this.data = buffers.memory();
        this.dataAddress = buffers.address();
        this.idle = new int[depth];
        this.written = new long[depth];
        for (int slot = depth - 1; slot >= 0; slot--) {
            idle[idleCount++] = slot;
        }
        queue.disarm();
    }

    /** The queue has been started again. */
    void notifications(QueueNotifications next) {
        notifications = next;
    }

    /** The requests that can be in flight at once. */
    public int depth() {
        return idle.length;
    }

    /** In bytes: what one request can carry. */
    public int bufferSize() {
        return bufferSize;
    }

    /** The data buffers of all slots. */
    public MemorySegment data() {
        return data;
    }

    /** Where the slot's data buffer starts in {@link #data}. */
    public long dataOffset(int slot) {
        return (long) slot * bufferSize;
    }

    /** The ring below, for tests that write into it what no driver should. */
    public DriverQueue queue() {
        return queue;
    }

    /** A slot to start a request in, or -1 when all are in flight or held. */
    public int acquire() {
        return idleCount == 0 ? -1 : idle[--idleCount];
    }

    /** Gives a slot back whose request has ended. */
    public void release(int slot) {
        idle[idleCount++] = slot;
    }

    /** Bytes that the device said it wrote in the slot's last request, status included. */
    public long written(int slot) {
        return written[slot];
    }

    public void read(int slot, long sector, int bytes) {
        begin(slot, VIRTIO_BLK_T_IN, sector);
        addData(slot, bytes, true);
        finish(slot);
    }

    public void write(int slot, long sector, int bytes) {
        begin(slot, VIRTIO_BLK_T_OUT, sector);
        addData(slot, bytes, false);
        finish(slot);
    }

    public void flush(int slot) {
        begin(slot, VIRTIO_BLK_T_FLUSH, 0);
        finish(slot);
    }

    public void discard(int slot, long sector, int sectors) {
        begin(slot, VIRTIO_BLK_T_DISCARD, 0);
        addRange(slot, sector, sectors, 0);
        finish(slot);
    }

    public void writeZeroes(int slot, long sector, int sectors, boolean mayUnmap) {
        begin(slot, VIRTIO_BLK_T_WRITE_ZEROES, 0);
        addRange(slot, sector, sectors, mayUnmap ? 1 : 0);
        finish(slot);
    }

    /** Asks for the device's name: 20 bytes at the start of the slot's data. */
    public void getId(int slot) {
        begin(slot, VIRTIO_BLK_T_GET_ID, 0);
        addData(slot, ID_SIZE, true);
        finish(slot);
    }

    /** A request of any type, with data that the device reads or writes; for tests. */
    public void request(int slot, int type, long sector, int bytes, boolean deviceWrites) {
        begin(slot, type, sector);
        addData(slot, bytes, deviceWrites);
        finish(slot);
    }

    private void begin(int slot, int type, long sector) {
        long at = (long) slot * SLOT_STRIDE;
        control.set(LE32, at, type);
        control.set(LE32, at + 4, 0);
        control.set(LE64, at + 8, sector);
        control.set(ValueLayout.JAVA_BYTE, at + STATUS, (byte) BlockStatus.NOT_WRITTEN);
        chain.clear().readable(controlAddress + at, HEADER_SIZE);
        if (indirect) {
            chain.indirectFrom(0);
        }
    }

    private void addData(int slot, int bytes, boolean deviceWrites) {
        long at = dataAddress + dataOffset(slot);
        for (int left = bytes; left > 0; left -= segmentSize) {
            int part = Math.min(left, segmentSize);
            if (deviceWrites) {
                chain.writable(at, part);
            } else {
                chain.readable(at, part);
            }
            at += part;
        }
    }

    private void addRange(int slot, long sector, int sectors, int flags) {
        long at = (long) slot * SLOT_STRIDE + RANGE;
        control.set(LE64, at, sector);
        control.set(LE32, at + 8, sectors);
        control.set(LE32, at + 12, flags);
        chain.readable(controlAddress + at, RANGE_SIZE);
    }

    private void finish(int slot) {
        chain.writable(controlAddress + (long) slot * SLOT_STRIDE + STATUS, 1);
        if (!queue.add(chain, slot)) {
            throw new IllegalStateException(
                    "slot %d is in flight already: the queue has room for every slot once"
                            .formatted(slot));
        }
    }

    /** Hands what was started since the last call to the device, and notifies it if it asked. */
    public void submit() {
        if (queue.publish()) {
            notificationsSent++;
            notifications.sendAvailable();
        }
    }

    /**
     * Reports the requests that have ended, without waiting.
     *
     * @return how many
     */
    public int poll(BlockCompletions into) {
        completions = into;
        return queue.reap(used, idle.length);
    }

    /**
     * The same, but waits for the first: polls for the time chosen, then sleeps.
     *
     * @return 0 when none ended in time
     */
    public int await(BlockCompletions into, int timeoutMillis) {
        int ended = poll(into);
        if (ended > 0) {
            return ended;
        }
        long start = System.nanoTime();
        long timeout = TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
        while (ended == 0) {
            long waited = System.nanoTime() - start;
            if (waited >= timeout) {
                break;
            }
            if (waited < spinNanos) {
                Thread.onSpinWait();
            } else if (!queue.arm()) {
                sleeps++;
                notifications.awaitUsed((int) TimeUnit.NANOSECONDS.toMillis(timeout - waited) + 1);
            }
            ended = poll(into);
        }
        queue.disarm();
        return ended;
    }

    private void used(long token, long bytes) {
        int slot = (int) token;
        written[slot] = bytes;
        int status = control.get(ValueLayout.JAVA_BYTE, (long) slot * SLOT_STRIDE + STATUS) & 0xff;
        completions.completed(slot, status);
    }

    /** Available buffer notifications sent so far. */
    public long notificationsSent() {
        return notificationsSent;
    }

    /** Times that {@link #await} slept. */
    public long sleeps() {
        return sleeps;
    }
}
