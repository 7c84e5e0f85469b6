package org.anyvirt.daemon.control;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/** One client of the control socket: a request, its answer, the next request. */
final class Conversation implements AutoCloseable {
    private final SocketChannel client;
    private final ControlServer.Limits limits;
    private final ScheduledExecutorService alarms;

    /** What has come and is not yet answered, from 0 to the position. */
    private final ByteBuffer input;

    Conversation(
            SocketChannel client, ControlServer.Limits limits, ScheduledExecutorService alarms) {
        this.client = client;
        this.limits = limits;
        this.alarms = alarms;
        this.input = ByteBuffer.allocate(limits.lineBytes());
    }

    /** Until the client ends it, or costs too much. */
    void run(UnaryOperator<String> responder) throws IOException {
        while (receiveLine()) {
            int end = endOfLine();
            if (end < 0) {
                send(error("a request has at most %d bytes".formatted(limits.lineBytes())));
                return;
            }
            ByteBuffer line = input.slice(0, end);
            String answer;
            try {
                answer =
                        responder.apply(
                                StandardCharsets.UTF_8.newDecoder().decode(line).toString());
            } catch (CharacterCodingException e) {
                answer = error("a request is UTF-8 text");
            }
            send(answer);
            input.flip().position(end + 1).compact();
        }
    }

    /**
     * Reads until there is a line, or no more room for it.
     *
     * @return false at the end of the stream
     */
    private boolean receiveLine() throws IOException {
        Future<?> alarm = closeLater();
        try {
            while (endOfLine() < 0 && input.hasRemaining()) {
                if (client.read(input) < 0) {
                    return false;
                }
            }
            return true;
        } finally {
            alarm.cancel(false);
        }
    }

    private int endOfLine() {
        for (int i = 0; i < input.position(); i++) {
            if (input.get(i) == '\n') {
                return i;
            }
        }
        return -1;
    }

    private void send(String answer) throws IOException {
        ByteBuffer output = StandardCharsets.UTF_8.encode(answer + "\n");
        Future<?> alarm = closeLater();
        try {
            while (output.hasRemaining()) {
                client.write(output);
            }
        } finally {
            alarm.cancel(false);
        }
    }

    private static String error(String why) {
        return Json.write(ControlAnswer.error(why));
    }

    /** A channel that is closed ends the read or write that waits on it, with an exception. */
    private Future<?> closeLater() {
        return alarms.schedule(this::close, limits.patience().toMillis(), TimeUnit.MILLISECONDS);
    }

    @Override
    public void close() {
        try {
            client.close();
        } catch (IOException e) {
            throw new UncheckedIOException("closing a socket cannot fail", e);
        }
    }
}
