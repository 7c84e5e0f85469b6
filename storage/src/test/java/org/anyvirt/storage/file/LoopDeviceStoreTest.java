package org.anyvirt.storage.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import org.anyvirt.devices.block.BlockStore;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.OpenFile;
import org.anyvirt.storage.BlockStoreContract;
import org.anyvirt.storage.TestQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A block device, through the page cache. */
class LoopDeviceStoreTest extends BlockStoreContract {
    @TempDir(factory = InBuildDirectory.class)
    Path directory;

    private LoopDevice device;

    protected int logicalBlockSize() {
        return 512;
    }

    protected boolean direct() {
        return false;
    }

    @Override
    protected BlockStore create() throws IOException {
        device = new LoopDevice(directory.resolve("file"), CAPACITY, logicalBlockSize());
        return new FileStore.Options(device.path, direct(), null, false).open();
    }

    @Override
    protected boolean resizes() {
        return false;
    }

    @AfterEach
    void detach() {
        if (device != null) {
            device.close();
        }
    }

    @Test
    void hasTheBlockSizeOfTheDevice() {
        assertThat(store.limits().blockSize()).isEqualTo(logicalBlockSize());
    }

    @Test
    void isThereOnce() {
        assertThatThrownBy(() -> new FileStore.Options(device.path, false, null, false).open())
                .isInstanceOf(IOException.class)
                .hasMessage(
                        "file:"
                                + device.path
                                + ": it is in use, by a mounted file system or another process");
    }

    @Test
    void growsOnlyWithTheDevice() {
        assertThatThrownBy(() -> store.resize(2L * CAPACITY))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("resize the block device first");
        assertThat(store.capacity()).isEqualTo(CAPACITY);
    }

    @Test
    void givesDiscardedBlocksBack() throws IOException {
        try (TestQueue queue = new TestQueue(store, 4)) {
            queue.write(0, pattern(1, 1 << 20));
            queue.io.flush(1);
            assertThat(queue.finish()).isZero();
            assertThat(blocks()).isGreaterThanOrEqualTo(2048);
            queue.io.discard(2, 0, 1 << 20);
            assertThat(queue.finish()).isZero();
            assertThat(blocks()).isLessThan(512);
        }
    }

    private long blocks() throws IOException {
        try (Fd fd = OpenFile.open(directory.resolve("file"), OpenFile.O_RDONLY, 0)) {
            OpenFile.sync(fd);
            return OpenFile.stat(fd).blocks512();
        }
    }
}
