package org.anyvirt.storage.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.anyvirt.linux.Errno;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.OpenFile;
import org.anyvirt.storage.Fragments;
import org.anyvirt.storage.TestQueue;
import org.anyvirt.virtio.memory.Buffers;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 30, unit = TimeUnit.SECONDS)
class FileQueueTest {
    @TempDir(factory = InBuildDirectory.class)
    Path directory;

    private final Map<Long, Integer> ended = new HashMap<>();

    private FileStore open(Path file, boolean direct) throws IOException {
        return new FileStore.Options(file, direct, null, false).open();
    }

    private FileStore create(long size) throws IOException {
        return new FileStore.Options(directory.resolve("new"), false, size, false).open();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void completesTheLastBlockOfAFileWithZeros(boolean direct) throws IOException {
        Path file = directory.resolve("odd");
        byte[] content = new byte[4096 + 100];
        Arrays.fill(content, (byte) 7);
        Files.write(file, content);
        try (FileStore store = open(file, direct);
                TestQueue queue = new TestQueue(store, 4)) {
            int capacity = (int) store.capacity();
            assertThat(queue.read(0, capacity)).isEqualTo(Arrays.copyOf(content, capacity));
            int block = store.limits().blockSize();
            byte[] written = new byte[block];
            Arrays.fill(written, (byte) 9);
            queue.write(capacity - block, written);
            assertThat(queue.read(capacity - block, block)).containsOnly(9);
            assertThat(Files.size(file)).isEqualTo(capacity);
        }
    }

    @Test
    void failsToReadWhatOthersCutOff() throws IOException {
        Path file = directory.resolve("cut");
        Files.write(file, new byte[8192]);
        try (FileStore store = open(file, false);
                TestQueue queue = new TestQueue(store, 4);
                Arena arena = Arena.ofConfined();
                Fd other = OpenFile.open(file, OpenFile.O_RDWR, 0)) {
            OpenFile.truncate(other, 4096);
            Buffers buffers = Fragments.whole(arena, 8192);
            queue.io.read(1, 0, buffers, 0, 8192);
            assertThat(queue.finish()).isEqualTo(Errno.EIO);
            queue.io.read(1, 4096, buffers, 0, 4096);
            assertThat(queue.finish()).isEqualTo(Errno.EIO);
            queue.io.read(1, 0, buffers, 0, 4096);
            assertThat(queue.finish()).isZero();
        }
    }

    @Test
    void leavesAShrunkFileAsShortAsItIs() throws IOException {
        try (FileStore store = create(1 << 20);
                TestQueue queue = new TestQueue(store, 4);
                Arena arena = Arena.ofConfined()) {
            Buffers buffers = Fragments.whole(arena, 4096);
            // Prepared before, submitted after.
            queue.io.write(1, (1 << 20) - 4096, buffers, 0, 4096, false);
            queue.io.read(2, (1 << 20) - 4096, buffers, 0, 4096);
            store.resize(1 << 19);
            queue.await(2);
            assertThat(queue.ended).containsEntry(1L, 0).containsEntry(2L, 0);
            assertThat(Files.size(directory.resolve("new"))).isEqualTo(1 << 19);
        }
    }

    @Test
    void keepsHolesAndPunchesThem() throws IOException {
        try (FileStore store = create(64L << 20);
                TestQueue queue = new TestQueue(store, 4)) {
            assertThat(blocks()).isLessThan(100);
            byte[] data = new byte[1 << 20];
            Arrays.fill(data, (byte) 1);
            for (int i = 0; i < 8; i++) {
                queue.write((long) i << 20, data);
            }
            assertThat(blocks()).isGreaterThanOrEqualTo(8 * 2048);
            queue.io.discard(1, 0, 4 << 20);
            assertThat(queue.finish()).isZero();
            queue.io.writeZeroes(1, 4 << 20, 2 << 20, true);
            assertThat(queue.finish()).isZero();
            assertThat(blocks()).isLessThan(4 * 2048);
            queue.io.writeZeroes(1, 6 << 20, 1 << 20, false);
            assertThat(queue.finish()).isZero();
            assertThat(blocks()).as("zeros that keep their space").isGreaterThan(2 * 2048 - 100);
            assertThat(queue.read(0, 7 << 20)).containsOnly(0);
            assertThat(queue.read(7 << 20, 1 << 20)).containsOnly(1);
        }
    }

    private long blocks() throws IOException {
        try (Fd fd = OpenFile.open(directory.resolve("new"), OpenFile.O_RDONLY, 0)) {
            OpenFile.sync(fd);
            return OpenFile.stat(fd).blocks512();
        }
    }

    @Test
    void writesZeroesWhereTheFileSystemHasNoOtherWay() throws IOException {
        Path memory = Path.of("/dev/shm");
        assumeTrue(
                Files.isDirectory(memory) && "tmpfs".equals(Files.getFileStore(memory).type()),
                "there is no tmpfs, which has no FALLOC_FL_ZERO_RANGE, at /dev/shm");
        Path file = Files.createTempFile(memory, "anyvirt", ".img");
        int size = 24 << 20; // more than one entry has iovecs for
        try (FileStore store = new FileStore.Options(file, false, (long) size, false).open();
                TestQueue queue = new TestQueue(store, 4)) {
            byte[] data = new byte[size];
            Arrays.fill(data, (byte) 1);
            queue.write(0, data);
            queue.io.writeZeroes(1, 512, size - 1024, false);
            assertThat(queue.finish()).isZero();
            queue.io.writeZeroes(1, 0, 512, false);
            assertThat(queue.finish()).isZero();
            byte[] read = queue.read(0, size);
            Arrays.fill(data, 0, size - 512, (byte) 0);
            assertThat(read).isEqualTo(data);
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void failsWritesWhenTheFileSystemIsFull() throws IOException {
        Path mount = Files.createDirectory(directory.resolve("small"));
        String mounted =
                LoopDevice.run("mount", "-t", "tmpfs", "-o", "size=1M", "none", mount.toString());
        assumeTrue(mounted != null, "this user may not mount");
        try (FileStore store =
                        new FileStore.Options(mount.resolve("disk"), false, 4L << 20, false)
                                .open();
                TestQueue queue = new TestQueue(store, 4);
                Arena arena = Arena.ofConfined()) {
            Buffers buffers = Fragments.whole(arena, 2 << 20);
            queue.io.write(1, 0, buffers, 0, 2 << 20, false);
            assertThat(queue.finish()).isEqualTo(Errno.ENOSPC);
            queue.io.discard(1, 0, 2 << 20);
            assertThat(queue.finish()).isZero();
            queue.write(0, new byte[512 << 10]);
        } finally {
            LoopDevice.run("umount", mount.toString());
        }
    }

    @Test
    void goesOnWhereTheKernelStopped() throws IOException {
        try (FileStore store = create(1 << 20);
                Arena arena = Arena.ofConfined()) {
            FileQueue queue = new FileQueue(store, 256, ended::put);
            Buffers buffers = Fragments.equal(arena, 3, 4096, 4096);
            queue.write(-7, 0, buffers, 0, 12288, true);
            queue.completed(0, 1024);
            queue.completed(0, -Errno.EINTR);
            queue.completed(0, 4096);
            queue.completed(0, -Errno.EAGAIN);
            assertThat(ended).isEmpty();
            queue.completed(0, 7168);
            assertThat(ended).containsEntry(-7L, 0);
            queue.close();
        }
    }

    @Test
    void givesUpOnAKernelThatNeverGoesOn() throws IOException {
        try (FileStore store = create(1 << 20);
                Arena arena = Arena.ofConfined()) {
            FileQueue queue = new FileQueue(store, 256, ended::put);
            queue.write(1, 0, Fragments.whole(arena, 4096), 0, 4096, false);
            for (int i = 0; i <= 100; i++) {
                assertThat(ended).isEmpty();
                queue.completed(0, i % 2 == 0 ? -Errno.EAGAIN : 0);
            }
            assertThat(ended).containsEntry(1L, Errno.EIO);
            queue.close();
        }
    }

    @Test
    void doesNotMindAFlushOfAFileOpenForReading() throws IOException {
        Path file = directory.resolve("readable");
        Files.write(file, new byte[4096]);
        try (FileStore store = new FileStore.Options(file, false, null, true).open();
                TestQueue queue = new TestQueue(store, 4)) {
            queue.io.flush(1);
            assertThat(queue.finish()).isZero();
            assertThat(queue.read(0, 4096)).containsOnly(0);
        }
    }
}
