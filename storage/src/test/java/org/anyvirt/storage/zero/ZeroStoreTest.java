package org.anyvirt.storage.zero;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import org.anyvirt.devices.block.BlockStore;
import org.anyvirt.storage.BlockStoreContract;
import org.anyvirt.storage.Fragments;
import org.anyvirt.storage.TestQueue;
import org.anyvirt.virtio.memory.Buffers;
import org.junit.jupiter.api.Test;

class ZeroStoreTest extends BlockStoreContract {
    @Override
    protected BlockStore create() {
        return new ZeroStore.Options(CAPACITY, true).open();
    }

    @Override
    protected boolean remembers() {
        return false;
    }

    @Test
    void leavesTheDriversMemoryAloneWithoutFill() throws IOException {
        try (Arena arena = Arena.ofConfined();
                BlockStore unfilled = new ZeroStore.Options(CAPACITY, false).open();
                TestQueue queue = new TestQueue(unfilled, 1)) {
            Buffers buffers = Fragments.whole(arena, 4096);
            buffers.fill(0, 4096, (byte) 7);
            queue.io.read(1, 0, buffers, 0, 4096);
            assertThat(queue.finish()).isZero();
            assertThat(Fragments.bytes(buffers, 0, 4096)).containsOnly(7);
        }
    }
}
