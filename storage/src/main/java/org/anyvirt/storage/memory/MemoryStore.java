package org.anyvirt.storage.memory;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.anyvirt.devices.block.BlockCompletions;
import org.anyvirt.devices.block.BlockQueue;
import org.anyvirt.devices.block.BlockStore;
import org.anyvirt.linux.Errno;
import org.anyvirt.linux.ErrnoException;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.Mapping;
import org.anyvirt.linux.Memfd;
import org.anyvirt.linux.OpenFile;
import org.anyvirt.storage.ByteSize;
import org.anyvirt.storage.StoreOptions;

/**
 * The memory of this process. Only what has been written takes any, and a discard gives it back.
 *
 * <p>A file without a name, mapped: holes can be punched into it, and it can be mapped again,
 * larger, while queues still copy through the mapping before.
 */
public final class MemoryStore implements BlockStore {
    private static final Limits LIMITS = new Limits(false, 512, 4096, true, 4096, false);
    private static final int PUNCH = OpenFile.FALLOC_FL_PUNCH_HOLE | OpenFile.FALLOC_FL_KEEP_SIZE;

    /**
     * @param capacity in bytes
     */
    public record Options(long capacity) implements StoreOptions {
        @Override
        public MemoryStore open() throws IOException {
            return new MemoryStore(capacity);
        }
    }

    private final Fd fd;
    private final List<Mapping> mappings = new ArrayList<>();
    private volatile MemorySegment memory;
    private volatile long capacity;

    private MemoryStore(long capacity) throws IOException {
        this.fd = Memfd.create("anyvirt-disk", capacity);
        try {
            map(capacity);
        } catch (ErrnoException e) {
            fd.close();
            throw e;
        }
        this.capacity = capacity;
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
    public synchronized void resize(long newCapacity) throws IOException {
        long before = capacity;
        long mapped = memory.byteSize();
        if (newCapacity > mapped) {
            OpenFile.truncate(fd, newCapacity);
            map(newCapacity);
        }
        // Never truncated: a queue may still copy beyond the new end, and would fault. What it
        // leaves there is gone before it could be seen, when the capacity grows again.
        long smaller = Math.min(before, newCapacity);
        if (smaller < mapped) {
            OpenFile.fallocate(fd, PUNCH, smaller, mapped - smaller);
        }
        capacity = newCapacity;
    }

    @Override
    public BlockQueue open(int depth, BlockCompletions completions) {
        return new MemoryQueue(this, depth, completions);
    }

    @Override
    public String describe() {
        return "memory:" + ByteSize.format(capacity);
    }

    @Override
    public String errorName(int error) {
        return Errno.name(error);
    }

    @Override
    public synchronized void close() {
        mappings.forEach(Mapping::close);
        mappings.clear();
        fd.close();
    }

    /** The largest mapping so far; at least the capacity. */
    MemorySegment memory() {
        return memory;
    }

    /** Gives memory back; the range reads as zeros. */
    void punch(long offset, long length) throws ErrnoException {
        OpenFile.fallocate(fd, PUNCH, offset, length);
    }

    private void map(long size) throws ErrnoException {
        Mapping mapping = Mapping.of(fd, 0, size, true);
        mappings.add(mapping);
        memory = mapping.memory();
    }
}
