package org.anyvirt.daemon.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.anyvirt.daemon.configuration.ControlSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(30)
final class ControlServerTest {
    private static final int LINE_BYTES = 128;
    private static final int CLIENTS = 4;

    @TempDir Path directory;
    private Path path;
    private ControlServer server;

    @BeforeEach
    void listen() throws IOException {
        path = directory.resolve("sub/control.sock");
        server = listen(Duration.ofSeconds(20));
    }

    @AfterEach
    void close() throws IOException {
        server.close();
    }

    private ControlServer listen(Duration patience) throws IOException {
        return ControlServer.listen(
                new ControlSocket(path, true),
                request -> request.equals("much") ? "m".repeat(64 << 20) : "<" + request + ">",
                new ControlServer.Limits(LINE_BYTES, patience, CLIENTS));
    }

    private void impatiently() throws IOException {
        server.close();
        server = listen(Duration.ofMillis(200));
    }

    @Test
    void answersLinesWithLines() throws IOException {
        try (SocketChannel client = connect()) {
            send(client, "one\n");
            assertThat(receive(client, 1)).isEqualTo("<one>\n");
            send(client, "two\nthree\nfo");
            send(client, "ur\n");
            assertThat(receive(client, 3)).isEqualTo("<two>\n<three>\n<four>\n");
        }
    }

    @Test
    void takesARequestByteByByte() throws IOException {
        try (SocketChannel client = connect()) {
            for (char c : "slowly\n".toCharArray()) {
                send(client, String.valueOf(c));
            }
            assertThat(receive(client, 1)).isEqualTo("<slowly>\n");
        }
    }

    @Test
    void takesALineAsLongAsTheLimitAndNoLonger() throws IOException {
        try (SocketChannel client = connect()) {
            String longest = "x".repeat(LINE_BYTES - 1);
            send(client, longest + "\n");
            assertThat(receive(client, 1)).isEqualTo("<" + longest + ">\n");
            send(client, "x".repeat(LINE_BYTES));
            assertThat(receiveAll(client)).contains("at most " + LINE_BYTES + " bytes");
        }
        assertServes();
    }

    @Test
    void refusesWhatIsNotUtf8AndGoesOn() throws IOException {
        try (SocketChannel client = connect()) {
            client.write(ByteBuffer.wrap(new byte[] {'a', (byte) 0xc3, '\n'}));
            assertThat(receive(client, 1)).contains("UTF-8");
            send(client, "b\n");
            assertThat(receive(client, 1)).isEqualTo("<b>\n");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "half a li", "\n"})
    void servesOthersWhenAClientLeavesInTheMiddle(String sent) throws IOException {
        try (SocketChannel client = connect()) {
            send(client, sent);
        }
        assertServes();
    }

    @Test
    void letsGoOfAClientThatSendsNothing() throws IOException {
        impatiently();
        try (SocketChannel idle = connect();
                SocketChannel half = connect()) {
            send(half, "half a li");
            assertThat(receiveAll(idle)).isEmpty();
            assertThat(receiveAll(half)).isEmpty();
        }
        assertServes();
    }

    @Test
    void letsGoOfAClientThatTakesNoAnswer() throws IOException {
        impatiently();
        try (SocketChannel greedy = connect()) {
            send(greedy, "much\n");
            // The socket's buffer holds a part of it; the rest is never sent.
            assertServes();
            awaitClients(0);
            assertThat(receiveAll(greedy).length()).isBetween(1, (64 << 20) - 1);
        }
    }

    @Test
    void servesOnlySoManyAtOnce() throws IOException {
        List<SocketChannel> clients = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            SocketChannel client = connect();
            send(client, "mine\n");
            assertThat(receive(client, 1)).isEqualTo("<mine>\n");
            clients.add(client);
        }
        try (SocketChannel another = connect()) {
            assertThat(receiveAll(another)).isEmpty();
        }
        for (SocketChannel client : clients) {
            client.close();
        }
        awaitClients(0);
        assertServes();
    }

    @Test
    void survivesAnyBytes() throws IOException {
        long seed = Long.getLong("anyvirt.seed", System.nanoTime());
        System.out.println("anyvirt.seed=" + seed);
        SplittableRandom random = new SplittableRandom(seed);
        for (int i = 0; i < 200; i++) {
            byte[] bytes = new byte[random.nextInt(3 * LINE_BYTES)];
            random.nextBytes(bytes);
            try (SocketChannel client = connect()) {
                client.write(ByteBuffer.wrap(bytes));
            } catch (IOException e) {
                assertThat(e).hasMessageMatching("Broken pipe|Connection reset.*");
            }
            awaitClients(CLIENTS - 1);
        }
        awaitAccepted();
        awaitClients(0);
        assertServes();
    }

    /** Connections are accepted in order: when this one has been, so have all before it. */
    private void awaitAccepted() throws IOException {
        try (SocketChannel last = connect()) {
            send(last, "the last\n");
            last.read(ByteBuffer.allocate(1));
        } catch (IOException e) {
            // One too many for the moment; accepted all the same.
            assertThat(e).hasMessageMatching("Broken pipe|Connection reset.*");
        }
    }

    @Test
    void belongsToItsOwnerAlone() throws IOException {
        assertThat(mode(path)).isEqualTo("rw-------");
        assertThat(mode(path.getParent())).isEqualTo("rwx------");
        try (var left = Files.list(path.getParent())) {
            assertThat(left).containsExactly(path);
        }
    }

    @Test
    void removesItsSocketAndEndsItsClients() throws IOException {
        try (SocketChannel client = connect()) {
            send(client, "one\n");
            assertThat(receive(client, 1)).isEqualTo("<one>\n");
            server.close();
            assertThat(path).doesNotExist();
            assertThat(receiveAll(client)).isEmpty();
        }
    }

    @Test
    void refusesTheSocketOfAnother() throws IOException {
        assertThatThrownBy(() -> listen(Duration.ofSeconds(1)))
                .isInstanceOf(IOException.class)
                .hasMessage(path + " is the control socket of another process");
        assertServes();
    }

    @Test
    void takesTheSocketOfOneThatHasGone() throws IOException {
        server.close();
        try (ServerSocketChannel gone = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            gone.bind(UnixDomainSocketAddress.of(path));
        }
        assertThat(path).exists();
        server = listen(Duration.ofSeconds(20));
        assertServes();
    }

    @Test
    void refusesAFileThatIsNoSocket() throws IOException {
        server.close();
        Files.writeString(path, "precious");
        assertThatThrownBy(() -> listen(Duration.ofSeconds(1)))
                .hasMessage(path + " exists, and is not a socket");
        assertThat(path).hasContent("precious");
    }

    @Test
    void leavesWhatAnotherHasPutInItsPlace() throws IOException {
        Files.delete(path);
        Files.writeString(path, "another's");
        server.close();
        assertThat(path).hasContent("another's");
    }

    @Test
    void refusesAFolderThatAnotherUserCouldWriteTo() throws IOException {
        Path shared = Files.createDirectory(directory.resolve("shared"));
        Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxrwxrwx"));
        ControlSocket notChosen = new ControlSocket(shared.resolve("control.sock"), false);
        assertThatThrownBy(() ->
                        ControlServer.listen(notChosen, line -> line, ControlServer.Limits.DEFAULT))
                .hasMessage(shared + " could be written to by another user");
        assertThat(shared).isEmptyDirectory();
    }

    private void assertServes() throws IOException {
        try (SocketChannel client = connect()) {
            send(client, "still there?\n");
            assertThat(receive(client, 1)).isEqualTo("<still there?>\n");
        }
    }

    private void awaitClients(int most) {
        while (server.clients() > most) {
            Thread.onSpinWait();
            Thread.yield();
        }
    }

    private SocketChannel connect() throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(path));
    }

    private static void send(SocketChannel client, String text) throws IOException {
        client.write(StandardCharsets.UTF_8.encode(text));
    }

    /** Reads until so many lines have come. */
    private static String receive(SocketChannel client, int lines) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(4096);
        do {
            assertThat(client.read(buffer)).isPositive();
        } while (text(buffer).chars().filter(c -> c == '\n').count() < lines);
        return text(buffer);
    }

    /** Reads until the server ends the connection. */
    private static String receiveAll(SocketChannel client) throws IOException {
        StringBuilder all = new StringBuilder();
        ByteBuffer buffer = ByteBuffer.allocate(65536);
        try {
            while (client.read(buffer) >= 0) {
                all.append(text(buffer));
                buffer.clear();
            }
        } catch (IOException e) {
            assertThat(e).hasMessageStartingWith("Connection reset");
        }
        return all.toString();
    }

    private static String text(ByteBuffer received) {
        return StandardCharsets.UTF_8.decode(received.duplicate().flip()).toString();
    }

    private static String mode(Path file) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(file));
    }
}
