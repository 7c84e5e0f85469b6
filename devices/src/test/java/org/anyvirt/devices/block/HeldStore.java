package org.anyvirt.devices.block;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import org.anyvirt.virtio.memory.Buffers;

/** A store whose requests end when the test says so, and as it says. */
final class HeldStore implements BlockStore {
    static final Limits LIMITS = new Limits(false, 512, 4096, true, 4096, true);

    final Limits limits;
    private byte[] content;
    private MemorySegment memory;
    volatile long capacity;

    /** What has been asked for: {@code write 512+1024 durable}. */
    final List<String> log = new ArrayList<>();

    boolean logs = true;
    boolean holds;
    int error;
    IOException refusesToResize;
    boolean closed;

    HeldStore(int capacity, Limits limits) {
        this.content = new byte[capacity];
        this.memory = MemorySegment.ofArray(content);
        this.capacity = capacity;
        this.limits = limits;
    }

    HeldStore(int capacity) {
        this(capacity, LIMITS);
    }

    @Override
    public long capacity() {
        return capacity;
    }

    @Override
    public Limits limits() {
        return limits;
    }

    @Override
    public void resize(long newCapacity) throws IOException {
        if (refusesToResize != null) {
            throw refusesToResize;
        }
        content = Arrays.copyOf(content, (int) newCapacity);
        memory = MemorySegment.ofArray(content);
        capacity = newCapacity;
    }

    @Override
    public HeldQueue open(int depth, BlockCompletions completions) {
        return new HeldQueue(depth, completions);
    }

    @Override
    public String describe() {
        return "held:";
    }

    @Override
    public void close() {
        closed = true;
    }

    final class HeldQueue implements BlockQueue {
        private final int depth;
        private final BlockCompletions completions;
        private final Queue<Long> started = new ArrayDeque<>();
        private final Queue<Long> submitted = new ArrayDeque<>();
        private final long[] tokens;
        private int count;

        HeldQueue(int depth, BlockCompletions completions) {
            this.depth = depth;
            this.completions = completions;
            this.tokens = new long[depth];
        }

        @Override
        public void read(long token, long offset, Buffers into, long from, long length) {
            start(token, "read", offset, length, "");
            if (error == 0) {
                into.put(from, memory, offset, length);
            }
        }

        @Override
        public void write(
                long token, long offset, Buffers source, long from, long length, boolean durable) {
            start(token, "write", offset, length, durable ? " durable" : "");
            source.get(from, memory, offset, length);
        }

        @Override
        public void flush(long token) {
            start(token, "flush", 0, 0, "");
        }

        @Override
        public void discard(long token, long offset, long length) {
            start(token, "discard", offset, length, "");
        }

        @Override
        public void writeZeroes(long token, long offset, long length, boolean mayUnmap) {
            start(token, "zero", offset, length, mayUnmap ? " unmap" : "");
            Arrays.fill(content, (int) offset, (int) (offset + length), (byte) 0);
        }

        private void start(long token, String what, long offset, long length, String how) {
            if (count == depth) {
                throw new AssertionError("more than " + depth + " in flight");
            }
            count++;
            if (logs) {
                log.add(length == 0 ? what : what + " " + offset + "+" + length + how);
                started.add(token);
            } else {
                tokens[count - 1] = token;
            }
        }

        @Override
        public void submit() {
            while (!started.isEmpty()) {
                submitted.add(started.remove());
            }
        }

        @Override
        public int reap() {
            int reaped = 0;
            if (!logs) {
                for (int i = 0, now = count; i < now; i++) {
                    count--;
                    reaped++;
                    completions.completed(tokens[i], 0);
                }
                return reaped;
            }
            while (!holds && !submitted.isEmpty()) {
                count--;
                reaped++;
                completions.completed(submitted.remove(), error);
                submit();
            }
            return reaped;
        }

        @Override
        public int wakeFd() {
            return -1;
        }

        @Override
        public void close() {
            log.add("close");
        }
    }
}
