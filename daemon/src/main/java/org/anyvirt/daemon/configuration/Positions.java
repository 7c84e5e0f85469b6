package org.anyvirt.daemon.configuration;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.databind.ObjectMapper;

/** Where in a text each property stands: what binding to records does not keep. */
final class Positions {
    /**
     * From 1 on.
     *
     * @param text the scalar there, or "" for a mapping or a list
     */
    record Position(int line, int column, String text) {
        static final Position START = new Position(1, 1, "");

        static Position of(TokenStreamLocation location, String text) {
            return new Position(
                    Math.max(1, location.getLineNr()), Math.max(1, location.getColumnNr()), text);
        }
    }

    private final Map<List<String>, Position> names = new LinkedHashMap<>();
    private final Map<List<String>, Position> values = new HashMap<>();

    /** Reads a text that has been read before, so that its syntax is right. */
    static Positions of(ObjectMapper mapper, String text) {
        Positions positions = new Positions();
        try (JsonParser parser = mapper.createParser(text)) {
            for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
                positions.add(parser, token);
            }
        }
        return positions;
    }

    private void add(JsonParser parser, JsonToken token) {
        if (token.isStructEnd()) {
            return;
        }
        List<String> path = pathOf(parser, token);
        if (token == JsonToken.PROPERTY_NAME) {
            names.putIfAbsent(path, Position.of(parser.currentTokenLocation(), ""));
        } else {
            String text = token.isScalarValue() ? parser.getString() : "";
            values.putIfAbsent(path, Position.of(parser.currentTokenLocation(), text));
        }
    }

    private static List<String> pathOf(JsonParser parser, JsonToken token) {
        // A mapping that has just begun has a context of its own, without a name yet.
        var context = parser.streamReadContext();
        if (token.isStructStart()) {
            context = context.getParent();
        }
        LinkedList<String> path = new LinkedList<>();
        for (; context != null && !context.inRoot(); context = context.getParent()) {
            path.addFirst(
                    context.inArray()
                            ? Integer.toString(context.getCurrentIndex())
                            : context.currentName());
        }
        return List.copyOf(path);
    }

    /** Where the value of a property stands, or, when it has none, the nearest one around it. */
    Position ofValue(List<String> path) {
        for (List<String> some = path; ; some = some.subList(0, some.size() - 1)) {
            Position position = values.get(some);
            if (some.size() < path.size() && names.containsKey(some)) {
                position = names.get(some);
            }
            if (position != null || some.isEmpty()) {
                return position == null ? Position.START : position;
            }
        }
    }

    /** The names in a mapping, each as a path, in the order of the text. */
    List<List<String>> namesIn(List<String> mapping) {
        return names.keySet().stream()
                .filter(path -> path.size() == mapping.size() + 1)
                .filter(path -> path.subList(0, mapping.size()).equals(mapping))
                .toList();
    }

    /** Where the name of a property stands. */
    Position ofName(List<String> path) {
        Position position = names.get(path);
        return position == null ? ofValue(path) : position;
    }
}
