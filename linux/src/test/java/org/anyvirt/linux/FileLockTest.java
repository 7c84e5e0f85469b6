package org.anyvirt.linux;

import static org.anyvirt.linux.OpenFile.O_CREAT;
import static org.anyvirt.linux.OpenFile.O_RDONLY;
import static org.anyvirt.linux.OpenFile.O_RDWR;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Open file description locks, within this process and against another. */
class FileLockTest {
    @TempDir Path directory;
    private Path image;

    /** Locks a file, says so, and holds the lock until its standard input ends. */
    static final class Holder {
        public static void main(String[] arguments) throws Exception {
            try (Fd fd = OpenFile.open(Path.of(arguments[0]), O_RDWR, 0)) {
                boolean shared = arguments[1].equals("shared");
                boolean locked = shared ? OpenFile.lockShared(fd) : OpenFile.lockExclusive(fd);
                System.out.println(locked ? "locked" : "refused");
                while (System.in.read() >= 0) {}
            }
        }
    }

    @BeforeEach
    void createImage() throws Exception {
        image = directory.resolve("disk.img");
        OpenFile.open(image, O_RDWR | O_CREAT, 0600).close();
    }

    @Test
    void anotherProcessIsKeptOutUntilTheLockIsGone() throws Exception {
        try (Fd fd = OpenFile.open(image, O_RDWR, 0)) {
            try (Other exclusive = new Other("exclusive")) {
                assertThat(exclusive.says()).isEqualTo("locked");
                assertThat(OpenFile.lockExclusive(fd)).isFalse();
                assertThat(OpenFile.lockShared(fd)).isFalse();
            }
            assertThat(OpenFile.lockExclusive(fd)).isTrue();
            try (Other refused = new Other("exclusive")) {
                assertThat(refused.says()).isEqualTo("refused");
            }
            try (Other refused = new Other("shared")) {
                assertThat(refused.says()).isEqualTo("refused");
            }
        }
    }

    @Test
    void readersShareAndKeepWritersOut() throws Exception {
        try (Fd fd = OpenFile.open(image, O_RDWR, 0);
                Other shared = new Other("shared")) {
            assertThat(shared.says()).isEqualTo("locked");
            assertThat(OpenFile.lockShared(fd)).isTrue();
            assertThat(OpenFile.lockExclusive(fd)).isFalse();
        }
    }

    @Test
    void twoOpeningsInOneProcessExcludeEachOther() throws Exception {
        try (Fd second = OpenFile.open(image, O_RDWR, 0)) {
            try (Fd first = OpenFile.open(image, O_RDWR, 0)) {
                assertThat(OpenFile.lockExclusive(first)).isTrue();
                assertThat(OpenFile.lockExclusive(first)).isTrue(); // its own
                assertThat(OpenFile.lockExclusive(second)).isFalse();
                // Not so with fcntl's old locks: closing any descriptor of the file drops those.
                OpenFile.open(image, O_RDONLY, 0).close();
                assertThat(OpenFile.lockExclusive(second)).isFalse();
                OpenFile.unlock(first);
                assertThat(OpenFile.lockExclusive(second)).isTrue();
                assertThat(OpenFile.lockExclusive(first)).isFalse();
                OpenFile.unlock(second);
                assertThat(OpenFile.lockExclusive(first)).isTrue();
            }
            assertThat(OpenFile.lockExclusive(second)).isTrue();
        }
    }

    @Test
    void aDuplicateKeepsTheLock() throws Exception {
        try (Fd second = OpenFile.open(image, O_RDWR, 0)) {
            Fd first = OpenFile.open(image, O_RDWR, 0);
            assertThat(OpenFile.lockExclusive(first)).isTrue();
            try (Fd duplicate = first.duplicate()) {
                first.close();
                assertThat(duplicate.isOpen()).isTrue();
                assertThat(OpenFile.lockExclusive(second)).isFalse();
            }
            assertThat(OpenFile.lockExclusive(second)).isTrue();
        }
    }

    @Test
    void anExclusiveLockNeedsAFileOpenForWriting() throws Exception {
        try (Fd fd = OpenFile.open(image, O_RDONLY, 0)) {
            assertThat(OpenFile.lockShared(fd)).isTrue();
            assertThatThrownBy(() -> OpenFile.lockExclusive(fd))
                    .isInstanceOf(ErrnoException.class)
                    .hasMessageStartingWith("fcntl(F_OFD_SETLK): EBADF");
        }
    }

    /** Another process with the image open. */
    private final class Other implements AutoCloseable {
        private final Process process;
        private final BufferedReader output;

        Other(String kind) throws Exception {
            process = ChildJvm.start(Holder.class, List.of(ChildJvm.NATIVE_ACCESS), image, kind);
            output = process.inputReader();
        }

        String says() throws Exception {
            return output.readLine();
        }

        @Override
        public void close() throws IOException {
            process.getOutputStream().close();
            process.onExit().join();
        }
    }
}
