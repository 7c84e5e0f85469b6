package org.anyvirt.storage.memory;

import java.lang.foreign.MemorySegment;
import org.anyvirt.devices.block.BlockCompletions;
import org.anyvirt.linux.ErrnoException;
import org.anyvirt.storage.immediate.ImmediateQueue;
import org.anyvirt.virtio.memory.Buffers;

/** Copies. Data plane. */
final class MemoryQueue extends ImmediateQueue {
    /** Zeroes are copied rather than filled in: a fill needs a slice. */
    private static final MemorySegment ZEROES = MemorySegment.ofArray(new byte[1 << 16]);

    private final MemoryStore store;

    MemoryQueue(MemoryStore store, int depth, BlockCompletions completions) {
        super(depth, completions);
        this.store = store;
    }

    @Override
    public void read(long token, long offset, Buffers into, long from, long length) {
        into.put(from, store.memory(), offset, length);
        end(token, 0);
    }

    @Override
    public void write(
            long token, long offset, Buffers source, long from, long length, boolean durable) {
        source.get(from, store.memory(), offset, length);
        end(token, 0);
    }

    @Override
    public void flush(long token) {
        end(token, 0);
    }

    @Override
    public void discard(long token, long offset, long length) {
        punch(token, offset, length);
    }

    @Override
    public void writeZeroes(long token, long offset, long length, boolean mayUnmap) {
        if (mayUnmap) {
            punch(token, offset, length);
            return;
        }
        MemorySegment memory = store.memory();
        for (long done = 0; done < length; done += ZEROES.byteSize()) {
            long part = Math.min(ZEROES.byteSize(), length - done);
            MemorySegment.copy(ZEROES, 0, memory, offset + done, part);
        }
        end(token, 0);
    }

    @Override
    public void close() {}

    private void punch(long token, long offset, long length) {
        try {
            store.punch(offset, length);
            end(token, 0);
        } catch (ErrnoException e) {
            end(token, e.errno());
        }
    }
}
