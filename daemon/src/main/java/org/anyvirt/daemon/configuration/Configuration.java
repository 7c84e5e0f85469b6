package org.anyvirt.daemon.configuration;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * What a daemon serves when it starts.
 *
 * @param control where it listens for {@code anyvirt ctl}
 * @param block the block devices by name, in the order of the file
 */
public record Configuration(ControlSocket control, Map<String, BlockConfiguration> block) {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

    public Configuration {
        control = control == null ? ControlSocket.byDefault() : control;
        block = Collections.unmodifiableMap(block == null ? Map.of() : new LinkedHashMap<>(block));
    }

    /** One that can stand in a log line, a table and a file name. */
    public static String checkName(String name) {
        if (!NAME.matcher(name).matches()) {
            throw InvalidValueException.of(
                    name, "a name of 1 to 64 letters, digits, '.', '_' and '-', no sign first");
        }
        return name;
    }
}
