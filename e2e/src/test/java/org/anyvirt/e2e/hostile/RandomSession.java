package org.anyvirt.e2e.hostile;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.anyvirt.e2e.hostile.RandomMessages.Message;
import org.anyvirt.linux.Errno;
import org.anyvirt.linux.ErrnoException;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.Poll;
import org.anyvirt.linux.UnixSocket;
import org.anyvirt.transports.vhostuser.message.FrontendRequest;
import org.anyvirt.transports.vhostuser.message.Header;
import org.anyvirt.transports.vhostuser.message.Payload;

/**
 * A session that begins well and goes wrong: a part of an honest frontend's messages, with some
 * changed, some in another order, more of any kind between them, a guest that writes into its rings
 * whatever it likes, and an end at any moment. All of it follows from the seed.
 */
final class RandomSession {
    private static final int ANSWER_SIZE = 1 << 14;

    /** Half a message has no answer, so this is waited for often. */
    private static final int LISTEN_MILLIS = 10;

    private static final int GET_FEATURES = FrontendRequest.GET_FEATURES.id();
    private static final int ANSWER = Header.SIZE + Long.BYTES;

    private final Path socket;
    private final RandomGuest guest;
    private final RandomChoice choice;
    private final RandomMessages messages;
    private final List<String> story = new ArrayList<>();

    RandomSession(Path socket, RandomGuest guest, OddDescriptors odd, long seed) {
        this.socket = socket;
        this.guest = guest;
        this.choice = new RandomChoice(seed);
        Kind kind = choice.of(List.of(Kind.values()));
        guest.reset(kind);
        this.messages = new RandomMessages(choice, guest, odd, kind);
    }

    /**
     * Goes through it.
     *
     * @throws AssertionError when the daemon does not answer
     */
    void run() throws IOException {
        try (Arena arena = Arena.ofConfined();
                UnixSocket connection = UnixSocket.connect(socket)) {
            connection.setTimeout(Patience.MILLIS);
            MemorySegment buffer = arena.allocate(ANSWER_SIZE);
            try {
                play(connection, buffer);
            } catch (ErrnoException e) {
                if (e.errno() == Errno.EAGAIN) {
                    throw new AssertionError("the daemon neither reads nor closes", e);
                }
                story.add("the daemon has closed: " + e.getMessage());
            }
        } catch (IOException | AssertionError e) {
            throw new AssertionError(String.join("\n", story), e);
        }
    }

    private void play(UnixSocket connection, MemorySegment buffer) throws IOException {
        for (Message message : script()) {
            story.add(message.name());
            send(connection, buffer, message);
            if (choice.oneIn(4)) {
                receive(connection, buffer, 0);
            }
            if (choice.oneIn(8)) {
                guest.drive(choice);
            }
        }
        int requests = choice.below(12);
        for (int i = 0; i < requests; i++) {
            guest.drive(choice);
        }
        // Otherwise all of this is behind us before the daemon has read the first message.
        if (!choice.oneIn(4)) {
            awaitEnd(connection, buffer);
        }
    }

    private List<Message> script() {
        List<Message> script = new ArrayList<>(messages.setUp());
        if (choice.oneIn(4)) {
            script = new ArrayList<>(script.subList(0, choice.below(script.size() + 1)));
        }
        if (choice.oneIn(8) && script.size() > 1) {
            Collections.swap(script, choice.below(script.size()), choice.below(script.size()));
        }
        int changes = choice.below(3);
        for (int i = 0; i < changes && !script.isEmpty(); i++) {
            int at = choice.below(script.size());
            script.set(at, messages.bad(script.get(at)));
        }
        int more = choice.below(5);
        for (int i = 0; i < more; i++) {
            Message message = choice.oneIn(2) ? messages.good() : messages.bad(messages.good());
            script.add(choice.below(script.size() + 1), message);
        }
        return script;
    }

    private static void send(UnixSocket connection, MemorySegment buffer, Message message)
            throws IOException {
        MemorySegment.copy(
                MemorySegment.ofArray(message.bytes()), 0, buffer, 0, message.bytes().length);
        int[] numbers = message.descriptors().stream().mapToInt(Fd::number).toArray();
        connection.send(buffer, message.bytes().length, numbers);
    }

    /** Asks something, and reads until that is answered, the daemon closes, or nothing comes. */
    private void awaitEnd(UnixSocket connection, MemorySegment buffer) throws IOException {
        story.add("waits for the end");
        ByteBuffer question = ByteBuffer.allocate(Header.SIZE).order(ByteOrder.nativeOrder());
        Header.request(FrontendRequest.GET_FEATURES, false, Payload.EMPTY).write(question);
        send(connection, buffer, new Message("", question.array(), List.of()));
        receive(connection, buffer, LISTEN_MILLIS);
    }

    /** Reads what is there, and what comes within so many milliseconds of that. */
    private static void receive(UnixSocket connection, MemorySegment buffer, int millis)
            throws IOException {
        List<Fd> descriptors = new ArrayList<>();
        long got = 1;
        while (got > 0 && Poll.await(millis, connection.fd().number()) == 0) {
            got = connection.receive(buffer, 0, ANSWER_SIZE, descriptors);
            if (got >= ANSWER && buffer.get(JAVA_INT_UNALIGNED, got - ANSWER) == GET_FEATURES) {
                break;
            }
        }
        descriptors.forEach(Fd::close);
    }

    /** What was sent, in order. */
    List<String> story() {
        return story;
    }
}
