package org.anyvirt.storage;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A store as a user writes it, {@code kind:what,key=value,key=value}, taken apart. A comma that
 * belongs to a path is written twice.
 */
final class StoreText {
    private final String text;
    private final String kind;
    private final String what;
    private final Map<String, String> values = new LinkedHashMap<>();
    private final List<String> known = new ArrayList<>();

    StoreText(String text) {
        this.text = text;
        int colon = text.indexOf(':');
        this.kind = colon < 0 ? text : text.substring(0, colon);
        List<String> parts = split(colon < 0 ? "" : text.substring(colon + 1));
        this.what = parts.getFirst();
        for (String part : parts.subList(1, parts.size())) {
            int equals = part.indexOf('=');
            if (equals <= 0) {
                throw wrong("\"%s\": key=value is expected".formatted(part));
            }
            if (values.put(part.substring(0, equals), part.substring(equals + 1)) != null) {
                throw wrong(part.substring(0, equals) + " is given twice");
            }
        }
    }

    String kind() {
        return kind;
    }

    /** What stands between the colon and the first comma. */
    String what(String expected) {
        if (what.isEmpty()) {
            throw wrong(expected + " is expected after \"" + kind + ":\"");
        }
        return what;
    }

    long whatSize() {
        return size("", what("a size"));
    }

    boolean flag(String key, boolean otherwise) {
        String value = take(key);
        if (value == null) {
            return otherwise;
        }
        return switch (value) {
            case "on" -> true;
            case "off" -> false;
            default -> throw wrong("%s=%s: on or off is expected".formatted(key, value));
        };
    }

    /** In bytes; null when the key is not given. */
    Long size(String key) {
        String value = take(key);
        return value == null ? null : Long.valueOf(size(key + "=", value));
    }

    /** All keys have been asked for: refuses any other. */
    void end() {
        for (String key : values.keySet()) {
            throw wrong(
                    known.isEmpty()
                            ? "unknown key %s: %s takes none".formatted(key, kind)
                            : "unknown key %s: %s takes %s"
                                    .formatted(key, kind, String.join(", ", known)));
        }
    }

    IllegalArgumentException wrong(String why) {
        return new IllegalArgumentException("store \"%s\": %s".formatted(text, why));
    }

    private long size(String prefix, String value) {
        try {
            return ByteSize.parse(value);
        } catch (IllegalArgumentException e) {
            throw wrong(prefix + e.getMessage());
        }
    }

    private String take(String key) {
        known.add(key);
        return values.remove(key);
    }

    private static List<String> split(String text) {
        List<String> parts = new ArrayList<>();
        StringBuilder part = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean doubled = c == ',' && i + 1 < text.length() && text.charAt(i + 1) == ',';
            if (c == ',' && !doubled) {
                parts.add(part.toString());
                part.setLength(0);
            } else {
                part.append(c);
                i += doubled ? 1 : 0;
            }
        }
        parts.add(part.toString());
        return parts;
    }
}
