package org.anyvirt.storage.zero;

import org.anyvirt.devices.block.BlockCompletions;
import org.anyvirt.devices.block.BlockQueue;
import org.anyvirt.devices.block.BlockStore;
import org.anyvirt.storage.ByteSize;
import org.anyvirt.storage.StoreOptions;
import org.anyvirt.storage.immediate.ImmediateQueue;
import org.anyvirt.virtio.memory.Buffers;

/** Reads as zeros and forgets what is written: what is measured on it is all but the store. */
public final class ZeroStore implements BlockStore {
    private static final Limits LIMITS = new Limits(false, 512, 4096, true, 4096, false);

    /**
     * @param capacity in bytes
     * @param fill off leaves the driver's memory as it is
     */
    public record Options(long capacity, boolean fill) implements StoreOptions {
        @Override
        public ZeroStore open() {
            return new ZeroStore(capacity, fill);
        }
    }

    private final boolean fill;
    private volatile long capacity;

    private ZeroStore(long capacity, boolean fill) {
        this.capacity = capacity;
        this.fill = fill;
    }

    @Override
    public long capacity() {
        return capacity;
    }

    @Override
    public Limits limits() {
        return LIMITS;
    }

    @Override
    public void resize(long newCapacity) {
        capacity = newCapacity;
    }

    @Override
    public BlockQueue open(int depth, BlockCompletions completions) {
        return new Queue(depth, completions, fill);
    }

    @Override
    public String describe() {
        return "zero:" + ByteSize.format(capacity) + (fill ? "" : ",fill=off");
    }

    @Override
    public void close() {}

    private static final class Queue extends ImmediateQueue {
        private final boolean fill;

        Queue(int depth, BlockCompletions completions, boolean fill) {
            super(depth, completions);
            this.fill = fill;
        }

        @Override
        public void read(long token, long offset, Buffers into, long from, long length) {
            if (fill) {
                into.fill(from, length, (byte) 0);
            }
            end(token, 0);
        }

        @Override
        public void write(
                long token, long offset, Buffers source, long from, long length, boolean durable) {
            end(token, 0);
        }

        @Override
        public void flush(long token) {
            end(token, 0);
        }

        @Override
        public void discard(long token, long offset, long length) {
            end(token, 0);
        }

        @Override
        public void writeZeroes(long token, long offset, long length, boolean mayUnmap) {
            end(token, 0);
        }

        @Override
        public void close() {}
    }
}
