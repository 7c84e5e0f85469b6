package org.anyvirt.storage;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import org.anyvirt.devices.block.BlockCompletions;
import org.anyvirt.devices.block.BlockQueue;
import org.anyvirt.devices.block.BlockStore;
import org.anyvirt.linux.Poll;
import org.anyvirt.virtio.memory.Buffers;

/** A queue of a store, and how to wait for it. */
public final class TestQueue implements AutoCloseable, BlockCompletions {
    private static final long DEADLINE_MILLIS = 20_000;

    /** Ended requests with their errors. */
    public final Map<Long, Integer> ended = new HashMap<>();

    public final BlockQueue io;
    private boolean reaping;

    public TestQueue(BlockStore store, int depth) throws IOException {
        io = store.open(depth, this);
    }

    @Override
    public void completed(long token, int error) {
        assertThat(reaping).as("ends are reported by reap only").isTrue();
        assertThat(ended.put(token, error)).as("end of %d", token).isNull();
    }

    /** Submits, and reaps until {@code count} requests have ended since the last call. */
    public void await(int count) {
        io.submit();
        long deadline = System.nanoTime() + DEADLINE_MILLIS * 1_000_000;
        while (ended.size() < count) {
            int reaped = reap();
            if (reaped == 0 && ended.size() < count) {
                assertThat(System.nanoTime()).as("deadline").isLessThan(deadline);
                assertThat(io.wakeFd()).as("requests have not ended at once").isNotNegative();
                try {
                    Poll.await((int) DEADLINE_MILLIS, io.wakeFd());
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            }
            io.submit();
        }
        assertThat(ended).hasSize(count);
    }

    public int reap() {
        reaping = true;
        int before = ended.size();
        int reaped = io.reap();
        reaping = false;
        assertThat(ended).hasSize(before + reaped);
        return reaped;
    }

    /** Waits for the one request in flight: its error. */
    public int finish() {
        await(1);
        int error = ended.values().iterator().next();
        ended.clear();
        return error;
    }

    public void write(long offset, byte[] bytes) {
        try (Arena arena = Arena.ofConfined()) {
            Buffers buffers = Fragments.whole(arena, bytes.length);
            buffers.put(0, MemorySegment.ofArray(bytes), 0, bytes.length);
            io.write(1, offset, buffers, 0, bytes.length, false);
            assertThat(finish()).isZero();
        }
    }

    public byte[] read(long offset, int length) {
        try (Arena arena = Arena.ofConfined()) {
            Buffers buffers = Fragments.whole(arena, length);
            buffers.fill(0, length, (byte) 0xEE);
            io.read(1, offset, buffers, 0, length);
            assertThat(finish()).isZero();
            return Fragments.bytes(buffers, 0, length);
        }
    }

    @Override
    public void close() {
        io.close();
    }
}
