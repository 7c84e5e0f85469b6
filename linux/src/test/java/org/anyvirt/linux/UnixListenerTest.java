package org.anyvirt.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnixListenerTest {
    @TempDir Path directory;
    private Path path;

    @BeforeEach
    void choosePath() {
        path = directory.resolve("disk.sock");
    }

    @Test
    void servesAPeerAndRemovesThePath() throws Exception {
        try (UnixListener listener = UnixListener.bind(path, 0600)) {
            exchange(listener);
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                    .isEqualTo("rw-------");
        }
        assertThat(path).doesNotExist();
    }

    @Test
    void replacesAStaleSocket() throws Exception {
        leaveStaleSocket();
        try (UnixListener listener = UnixListener.bind(path, 0600)) {
            exchange(listener);
        }
    }

    @Test
    void refusesALiveSocketAndLeavesItAlone() throws Exception {
        try (UnixListener live = UnixListener.bind(path, 0600)) {
            assertThatThrownBy(() -> UnixListener.bind(path, 0600))
                    .isInstanceOf(FileAlreadyExistsException.class)
                    .hasMessageContaining(path + ": another process listens on it")
                    .hasMessageContaining("process " + ProcessHandle.current().pid());
            live.accept().close(); // the question whether it lives
            exchange(live);
        }
    }

    @Test
    void refusesWhatIsNoSocket() throws Exception {
        Files.writeString(path, "precious");
        assertThatThrownBy(() -> UnixListener.bind(path, 0600))
                .isInstanceOf(FileAlreadyExistsException.class)
                .hasMessageContaining("not a socket");
        assertThat(path).hasContent("precious");
    }

    @Test
    void refusesALinkEvenToAStaleSocket() throws Exception {
        leaveStaleSocket();
        Path link = Files.createSymbolicLink(directory.resolve("link"), path);
        assertThatThrownBy(() -> UnixListener.bind(link, 0600))
                .isInstanceOf(FileAlreadyExistsException.class)
                .hasMessageContaining("not a socket");
        assertThat(Files.exists(path, LinkOption.NOFOLLOW_LINKS)).isTrue();
    }

    @Test
    void doesNotRemoveTheSocketOfItsSuccessor() throws Exception {
        UnixListener first = UnixListener.bind(path, 0600);
        Files.delete(path);
        try (UnixListener second = UnixListener.bind(path, 0600)) {
            first.close();
            exchange(second);
        }
    }

    @Test
    void refusesAPathThatDoesNotFitAnAddress() throws Exception {
        int room = 107 - directory.toString().length() - 1;
        Path longest = directory.resolve("x".repeat(room));
        try (UnixListener listener = UnixListener.bind(longest, 0600)) {
            UnixSocket.connect(longest).close();
            listener.accept().close();
        }
        assertThatThrownBy(() -> UnixListener.bind(directory.resolve("x".repeat(room + 1)), 0600))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1 to 107 bytes, this one 108");
        // Bytes count, not letters.
        assertThatThrownBy(() -> UnixSocket.connect(directory.resolve("ü".repeat(room))))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aMissingDirectoryIsNamed() {
        assertThatThrownBy(() -> UnixListener.bind(directory.resolve("no/disk.sock"), 0600))
                .isInstanceOf(ErrnoException.class)
                .hasMessageStartingWith("bind: ENOENT")
                .hasMessageEndingWith("no/disk.sock");
        assertThatThrownBy(() -> UnixSocket.connect(path))
                .isInstanceOf(ErrnoException.class)
                .hasMessageStartingWith("connect: ENOENT");
    }

    @Test
    void acceptsOnAnInheritedSocketThatDoesNotBlock() throws Exception {
        try (UnixListener owner = UnixListener.bind(path, 0600)) {
            try (UnixListener inherited = new UnixListener(owner.fd().duplicate())) {
                OpenFile.setNonBlocking(inherited.fd());
                Thread peer = Thread.ofPlatform().start(() -> connectAndClose(path));
                inherited.accept().close();
                peer.join();
            }
            assertThat(Files.exists(path, LinkOption.NOFOLLOW_LINKS)).isTrue();
        }
    }

    private void leaveStaleSocket() throws Exception {
        UnixListener gone = UnixListener.bind(path, 0600);
        gone.fd().close(); // as a killed process leaves it
        assertThat(Files.exists(path, LinkOption.NOFOLLOW_LINKS)).isTrue();
    }

    private void exchange(UnixListener listener) throws Exception {
        try (UnixSocket client = UnixSocket.connect(path);
                UnixSocket server = listener.accept();
                Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(8);
            client.send(bytes, 8);
            assertThat(server.receive(bytes, 0, 8, new ArrayList<>())).isEqualTo(8);
        }
    }

    private static void connectAndClose(Path path) {
        try {
            UnixSocket.connect(path).close();
        } catch (ErrnoException failed) {
            throw new AssertionError(failed);
        }
    }
}
