package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.anyvirt.linux.OpenFile.FALLOC_FL_KEEP_SIZE;
import static org.anyvirt.linux.OpenFile.FALLOC_FL_PUNCH_HOLE;
import static org.anyvirt.linux.OpenFile.O_CREAT;
import static org.anyvirt.linux.OpenFile.O_DIRECT;
import static org.anyvirt.linux.OpenFile.O_EXCL;
import static org.anyvirt.linux.OpenFile.O_NONBLOCK;
import static org.anyvirt.linux.OpenFile.O_RDONLY;
import static org.anyvirt.linux.OpenFile.O_RDWR;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OpenFileTest {
    private static final int MEBI = 1 << 20;

    @TempDir Path directory;

    @Test
    void writesAndReadsAtOffsets() throws Exception {
        try (Fd fd = create("data");
                Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocateFrom("hello, disk");
            assertThat(OpenFile.write(fd, bytes, 7, 4, 1000)).isEqualTo(4);
            assertThat(OpenFile.read(fd, bytes, 0, 5, 999)).isEqualTo(5);
            assertThat(bytes.getString(0)).isEmpty(); // the hole before it
            assertThat(bytes.asSlice(1).getString(0)).startsWith("disk");
            assertThat(OpenFile.read(fd, bytes, 0, 5, 1004)).isZero();
            OpenFile.dataSync(fd);
            OpenFile.sync(fd);
        }
    }

    @Test
    void tellsWhatAFileIs() throws Exception {
        try (Fd fd = create("stat")) {
            OpenFile.truncate(fd, 5L * MEBI);
            FileStat stat = OpenFile.stat(fd);
            assertThat(stat.size()).isEqualTo(5L * MEBI);
            assertThat(stat.isRegular()).isTrue();
            assertThat(stat.isBlockDevice()).isFalse();
            assertThat(stat.blocks512()).isZero();
            Path path = directory.resolve("stat");
            assertThat(stat.inode()).isEqualTo(Files.getAttribute(path, "unix:ino"));
            assertThat(stat.mode()).isEqualTo(Files.getAttribute(path, "unix:mode"));
            try (Fd again = OpenFile.open(path, O_RDONLY, 0)) {
                assertThat(OpenFile.stat(again)).isEqualTo(stat);
            }
        }
        try (Fd folder = OpenFile.open(directory, O_RDONLY | OpenFile.O_DIRECTORY, 0)) {
            assertThat(OpenFile.stat(folder).isRegular()).isFalse();
        }
    }

    @Test
    void punchesHoles() throws Exception {
        try (Fd fd = create("holes");
                Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(MEBI).fill((byte) 7);
            OpenFile.write(fd, bytes, 0, MEBI, 0);
            OpenFile.sync(fd);
            long before = OpenFile.stat(fd).blocks512();
            int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
            OpenFile.fallocate(fd, mode, MEBI / 4, MEBI / 2);
            FileStat after = OpenFile.stat(fd);
            assertThat(after.size()).isEqualTo(MEBI);
            assertThat(before - after.blocks512()).isEqualTo(MEBI / 2 / 512);
            OpenFile.read(fd, bytes, 0, MEBI, 0);
            assertThat(bytes.get(JAVA_BYTE, MEBI / 4 - 1)).isEqualTo((byte) 7);
            assertThat(bytes.get(JAVA_BYTE, MEBI / 4)).isZero();
            assertThat(bytes.get(JAVA_BYTE, 3L * MEBI / 4 - 1)).isZero();
            assertThat(bytes.get(JAVA_BYTE, 3L * MEBI / 4)).isEqualTo((byte) 7);
        }
    }

    @Test
    void reservesStorage() throws Exception {
        try (Fd fd = create("reserved")) {
            OpenFile.fallocate(fd, 0, 0, MEBI);
            assertThat(OpenFile.stat(fd).size()).isEqualTo(MEBI);
            assertThat(OpenFile.stat(fd).blocks512()).isGreaterThanOrEqualTo(MEBI / 512);
        }
    }

    @Test
    void refusalsNameCallErrorAndArguments() throws Exception {
        Path missing = directory.resolve("missing");
        assertThatThrownBy(() -> OpenFile.open(missing, O_RDWR, 0))
                .isInstanceOf(ErrnoException.class)
                .hasMessageMatching("open: ENOENT \\(.+\\): .*/missing, flags 02");
        Files.createFile(missing);
        assertThatThrownBy(() -> OpenFile.open(missing, O_RDWR | O_CREAT | O_EXCL, 0600))
                .isInstanceOf(ErrnoException.class)
                .hasMessageContaining("open: EEXIST");
        try (Fd fd = OpenFile.open(missing, O_RDONLY, 0);
                Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(512);
            assertThatThrownBy(() -> OpenFile.write(fd, bytes, 0, 512, 1024))
                    .isInstanceOf(ErrnoException.class)
                    .hasMessageMatching(
                            "pwrite: EBADF \\(.+\\): fd \\d+, 512 bytes at offset 1024");
            assertThatThrownBy(() -> OpenFile.read(fd, bytes, 8, 505, 0))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> OpenFile.fallocate(fd, 0, 0, 1))
                    .isInstanceOf(ErrnoException.class)
                    .hasMessageMatching(
                            "fallocate: EBADF .*fd \\d+, mode 0x0, 1 bytes at offset 0");
            assertThatThrownBy(() -> OpenFile.blockDeviceSize(fd))
                    .isInstanceOf(ErrnoException.class)
                    .hasMessageStartingWith("ioctl(BLKGETSIZE64): ENOTTY");
        }
    }

    @Test
    void directIoWorksWithTheAlignmentTold() throws Exception {
        try (Fd fd = create("direct")) {
            OpenFile.truncate(fd, MEBI);
            DirectAlignment alignment = OpenFile.directAlignment(fd);
            assumeTrue(alignment.isSupported(), "no direct I/O where temporary files are");
            assertThat(Integer.bitCount(alignment.memory())).isEqualTo(1);
            assertThat(Integer.bitCount(alignment.offset())).isEqualTo(1);
            Path path = directory.resolve("direct");
            try (Fd direct = OpenFile.open(path, O_RDWR | O_DIRECT, 0);
                    Arena arena = Arena.ofConfined()) {
                assertThat(OpenFile.statusFlags(direct) & O_DIRECT).isEqualTo(O_DIRECT);
                int length = alignment.offset();
                MemorySegment bytes =
                        arena.allocate(2L * length, Math.max(alignment.memory(), length));
                bytes.fill((byte) 5);
                assertThat(OpenFile.write(direct, bytes, 0, length, length)).isEqualTo(length);
                assertThat(OpenFile.read(fd, bytes, 0, length, length)).isEqualTo(length);
                assertThat(bytes.get(JAVA_BYTE, length - 1)).isEqualTo((byte) 5);
            }
        }
    }

    @Test
    void setsAndShowsStatusFlags() throws Exception {
        try (Fd fd = create("flags")) {
            assertThat(OpenFile.statusFlags(fd) & (O_RDWR | O_NONBLOCK)).isEqualTo(O_RDWR);
            OpenFile.setNonBlocking(fd);
            assertThat(OpenFile.statusFlags(fd) & O_NONBLOCK).isEqualTo(O_NONBLOCK);
        }
    }

    @Test
    void blockDevicesTellSizeAndTakeDiscardAndZeroes() throws Exception {
        Path image = Files.createFile(directory.resolve("loop.img"));
        try (Fd file = OpenFile.open(image, O_RDWR, 0);
                Arena arena = Arena.ofConfined()) {
            OpenFile.truncate(file, 4L * MEBI);
            MemorySegment bytes = arena.allocate(MEBI).fill((byte) 3);
            for (int i = 0; i < 4; i++) {
                OpenFile.write(file, bytes, 0, MEBI, (long) i * MEBI);
            }
            Path device = attachLoopDevice(image);
            try (Fd fd = OpenFile.open(device, O_RDWR, 0)) {
                assertThat(OpenFile.stat(fd).isBlockDevice()).isTrue();
                assertThat(OpenFile.blockDeviceSize(fd)).isEqualTo(4L * MEBI);
                int block = OpenFile.logicalBlockSize(fd);
                assertThat(block).isGreaterThanOrEqualTo(512);
                assertThat(OpenFile.directAlignment(fd).offset()).isEqualTo(block);
                OpenFile.discardBlocks(fd, 0, MEBI);
                OpenFile.zeroBlocks(fd, 2L * MEBI, MEBI);
                OpenFile.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3L * MEBI, MEBI);
                byte[] seen = new byte[4];
                for (int i = 0; i < 4; i++) {
                    OpenFile.read(fd, bytes, 0, 512, (long) i * MEBI);
                    seen[i] = bytes.get(JAVA_BYTE, 0);
                }
                assertThat(seen).containsExactly(0, 3, 0, 0);
                assertThatThrownBy(() -> OpenFile.zeroBlocks(fd, 1, 512))
                        .isInstanceOf(ErrnoException.class)
                        .hasMessageMatching(
                                "ioctl\\(BLKZEROOUT\\): EINVAL .*512 bytes at offset 1");
                assertThat(OpenFile.lockExclusive(fd)).isTrue();
            } finally {
                run("losetup", "--detach", device.toString());
            }
        }
    }

    private Fd create(String name) throws ErrnoException {
        return OpenFile.open(directory.resolve(name), O_RDWR | O_CREAT | O_EXCL, 0600);
    }

    private static Path attachLoopDevice(Path image) throws Exception {
        String device;
        try {
            device = run("losetup", "--find", "--show", image.toString());
        } catch (IOException absent) {
            device = "";
        }
        assumeTrue(device.startsWith("/dev/"), "no loop device to be had (needs root)");
        return Path.of(device);
    }

    private static String run(String... command) throws Exception {
        Process process = new ProcessBuilder(List.of(command)).start();
        String output = new String(process.getInputStream().readAllBytes()).strip();
        process.waitFor();
        return output;
    }
}
