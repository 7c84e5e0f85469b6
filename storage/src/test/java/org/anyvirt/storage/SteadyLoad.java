package org.anyvirt.storage;

import java.io.IOException;
import java.lang.foreign.Arena;
import org.anyvirt.devices.block.BlockCompletions;
import org.anyvirt.devices.block.BlockQueue;
import org.anyvirt.devices.block.BlockStore;
import org.anyvirt.linux.Epoll;
import org.anyvirt.virtio.memory.Buffers;

/** Every kind of request, over and over, without allocating itself. */
final class SteadyLoad implements BlockCompletions, AutoCloseable {
    private static final int DEPTH = 16;

    private final BlockQueue io;
    private final Epoll epoll = new Epoll();
    private final Buffers[] buffers = new Buffers[DEPTH];
    private long ended;
    private int errors;

    SteadyLoad(BlockStore store, Arena arena) throws IOException {
        io = store.open(DEPTH, this);
        if (io.wakeFd() >= 0) {
            epoll.add(io.wakeFd(), Epoll.EPOLLIN, 0);
        }
        for (int i = 0; i < DEPTH; i++) {
            buffers[i] = Fragments.equal(arena, 1 + i % 3, 4096, i % 4 == 3 ? 1 : 0);
        }
    }

    void run(int count) {
        ended = 0;
        for (int started = 0; started < count; ) {
            int batch = Math.min(DEPTH, count - started);
            for (int i = 0; i < batch; i++) {
                start(started + i, i);
            }
            started += batch;
            io.submit();
            while (ended < started) {
                if (io.reap() == 0) {
                    sleep();
                }
                io.submit();
            }
        }
        if (errors != 0) {
            throw new AssertionError(errors + " of " + count + " requests failed");
        }
    }

    private void start(int number, int slot) {
        Buffers buffer = buffers[slot];
        long offset = (number & 127) * 16384L;
        switch (number % 8) {
            case 0, 1, 2 -> io.read(slot, offset, buffer, 0, buffer.total());
            case 3, 4, 5 -> io.write(slot, offset, buffer, 0, buffer.total(), false);
            case 6 -> io.writeZeroes(slot, offset, 4096, (number & 8) == 0);
            default -> io.discard(slot, offset, 4096);
        }
    }

    private void sleep() {
        try {
            epoll.await(1000);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void completed(long token, int error) {
        ended++;
        errors += error == 0 ? 0 : 1;
    }

    @Override
    public void close() {
        epoll.close();
        io.close();
    }
}
