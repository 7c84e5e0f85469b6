package org.anyvirt.e2e.guest;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A QEMU monitor: one JSON object a line, each command answered by `return` or `error`. */
final class Qmp implements AutoCloseable {
    private static final Duration DEADLINE = Duration.ofSeconds(30);
    private static final Pattern LINE = Pattern.compile("\\{.*\\}\r?\n");

    private final JsonMapper json = new JsonMapper();
    private final Serial stream;
    private boolean greeted;

    Qmp(Path socket, Path log) throws IOException {
        stream = new Serial(socket, log);
    }

    String chardev(String id) {
        return stream.chardev(id);
    }

    /** Runs a command and returns what it returns; events that come between are dropped. */
    synchronized JsonNode execute(String command, Map<String, Object> arguments)
            throws IOException {
        if (!greeted) {
            await("QMP", DEADLINE);
            greeted = true;
            execute("qmp_capabilities", Map.of());
        }
        Map<String, Object> message = Map.of("execute", command, "arguments", arguments);
        stream.send(json.writeValueAsString(message) + "\n");
        return await("return", DEADLINE);
    }

    private JsonNode await(String key, Duration deadline) throws IOException {
        while (true) {
            JsonNode message = json.readTree(stream.readUntil(LINE, deadline).match());
            if (message.has("error")) {
                throw new IOException("QMP: " + message.get("error"));
            }
            if (message.has(key)) {
                return message.get(key);
            }
        }
    }

    @Override
    public void close() throws IOException {
        stream.close();
    }
}
