package org.anyvirt.storage.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 30, unit = TimeUnit.SECONDS)
class FileOpeningTest {
    @TempDir(factory = InBuildDirectory.class)
    Path directory;

    private Path file;

    @BeforeEach
    void nameAFile() {
        file = directory.resolve("disk.img");
    }

    private FileStore open() throws IOException {
        return open(null, false);
    }

    private FileStore open(Long size, boolean readOnly) throws IOException {
        return new FileStore.Options(file, false, size, readOnly).open();
    }

    private void assertRefused(Long size, boolean readOnly, String why) {
        assertThatThrownBy(() -> open(size, readOnly))
                .isInstanceOf(IOException.class)
                .hasMessage("file:" + file + ": " + why);
    }

    @Test
    void makesAFileOfTheSizeAskedFor() throws IOException {
        try (FileStore store = open(1L << 40, false)) {
            assertThat(store.capacity()).isEqualTo(1L << 40);
            assertThat(Files.size(file)).isEqualTo(1L << 40);
            assertThat(store.describe()).isEqualTo("file:" + file);
        }
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-------");
        open(1L << 40, false).close();
        open().close();
    }

    @Test
    void fillsAnEmptyFileToTheSizeAskedFor() throws IOException {
        Files.createFile(file);
        assertRefused(null, false, "it is empty; with size=10G it is made that large");
        try (FileStore store = open(4096L, false)) {
            assertThat(store.capacity()).isEqualTo(4096);
        }
    }

    @Test
    void opensAFileThatWasResizedWithTheSizeItWasMadeWith() throws IOException {
        try (FileStore store = open(4096L, false)) {
            store.resize(8192);
        }
        try (FileStore store = open(4096L, false)) {
            assertThat(store.capacity()).isEqualTo(8192);
        }
        assertThat(Files.size(file)).isEqualTo(8192);
    }

    @Test
    void leavesNoFileBehindThatItCouldNotUse() throws IOException {
        assumeTrue(
                Files.getFileStore(directory).type().startsWith("ext"),
                "only ext2 to ext4 are known to refuse that size");
        assertRefused(1L << 60, false, "its file system does not hold a file that large");
        assertThat(file).doesNotExist();
    }

    @Test
    void saysThatThereIsNoFile() {
        String why = "there is no such file; with size=10G one of that size is made";
        assertRefused(null, false, why);
        assertRefused(null, true, why);
        assertThat(file).doesNotExist();
    }

    @Test
    void saysThatThereIsNoDirectory() {
        file = directory.resolve("no/disk.img");
        assertRefused(4096L, false, "there is no such directory");
    }

    @Test
    void refusesADirectory() throws IOException {
        Files.createDirectory(file);
        assertRefused(null, false, "it is a directory, not a file or block device");
        assertRefused(null, true, "it is a directory, not a file or block device");
    }

    @Test
    void refusesWhatIsNoFileWithoutOpeningIt() {
        assumeTrue(LoopDevice.run("mkfifo", file.toString()) != null, "there is no mkfifo");
        // To open it for reading would wait for a writer.
        assertRefused(null, true, "it is neither a file nor a block device");
        file = Path.of("/dev/null");
        assertRefused(null, false, "it is neither a file nor a block device");
    }

    @Test
    void saysThatPermissionIsDenied() throws IOException {
        assumeFalse("root".equals(System.getProperty("user.name")), "root may do everything");
        Files.write(file, new byte[512]);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("r--------"));
        assertRefused(null, false, "permission to read and write it is denied");
        open(null, true).close();
    }

    @Test
    void lendsAFileToOneWriter() throws IOException {
        try (FileStore writer = open(4096L, false)) {
            assertThat(writer.limits().readOnly()).isFalse();
            assertRefused(
                    null,
                    false,
                    "another process has it open; one can write, or several can read with"
                            + " read-only=on");
            assertRefused(null, true, "another process has it open for writing");
        }
        open().close();
    }

    @Test
    void lendsAFileToManyReaders() throws IOException {
        Files.write(file, new byte[512]);
        try (FileStore one = open(null, true);
                FileStore other = open(null, true)) {
            assertThat(one.limits().readOnly()).isTrue();
            assertThat(one.limits().discards()).isFalse();
            assertThat(other.capacity()).isEqualTo(512);
            assertRefused(
                    null,
                    false,
                    "another process has it open; one can write, or several can read with"
                            + " read-only=on");
        }
    }

    @Test
    void keepsQemuOffAFileThatItHasOpen() throws IOException {
        String qemu = LoopDevice.run("which", "qemu-img");
        assumeTrue(qemu != null, "there is no qemu-img");
        try (FileStore writer = open(65536L, false)) {
            assertThat(writer.capacity()).isEqualTo(65536);
            assertThat(LoopDevice.run(qemu, "resize", "-f", "raw", file.toString(), "1M"))
                    .as("qemu-img resizes a file in use")
                    .isNull();
        }
        assertThat(LoopDevice.run(qemu, "resize", "-f", "raw", file.toString(), "1M")).isNotNull();
    }

    @Test
    void refusesToResizeAFileOpenForReading() throws IOException {
        Files.write(file, new byte[512]);
        try (FileStore store = open(null, true)) {
            assertThatThrownBy(() -> store.resize(1024)).hasMessageContaining("open read-only");
        }
    }

    @Test
    void countsTheLastBytesOfAFileAsABlock() throws IOException {
        Files.write(file, new byte[1000]);
        try (FileStore store = open()) {
            assertThat(store.capacity()).isEqualTo(1024);
        }
    }

    @Test
    void hasBlocksThatTheDiskTakesForDirectIo() throws IOException {
        try (FileStore store = new FileStore.Options(file, true, 1L << 20, false).open()) {
            assertThat(store.limits().blockSize()).isIn(512, 1024, 2048, 4096);
        }
    }
}
