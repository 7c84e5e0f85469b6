package org.anyvirt.daemon.configuration;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A configuration, with the file that it came from, so that any later error can say where. */
public final class ConfigurationFile {
    private final Path file;
    private final Configuration configuration;
    private final Positions positions;

    private ConfigurationFile(Path file, Configuration configuration, Positions positions) {
        this.file = file;
        this.configuration = configuration;
        this.positions = positions;
    }

    public static ConfigurationFile read(Path file) throws IOException, ConfigurationException {
        String text;
        try {
            text = Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new ConfigurationException(file.toString(), 1, 1, "is not UTF-8 text");
        }
        RecordReader reader = RecordReader.yaml();
        try {
            ConfigurationFile read =
                    new ConfigurationFile(
                            file, reader.read(text, Configuration.class), reader.positions(text));
            read.check();
            return read;
        } catch (RecordFormatException e) {
            throw new ConfigurationException(file.toString(), e.line(), e.column(), e.getMessage());
        }
    }

    public Path path() {
        return file;
    }

    public Configuration configuration() {
        return configuration;
    }

    /** What the configuration says about a device cannot be done. */
    public ConfigurationException error(String device, String what) {
        List<String> path = List.of("block", device);
        return error(positions.ofName(path), "block.%s: %s".formatted(device, what));
    }

    private ConfigurationException error(Positions.Position at, String what) {
        return new ConfigurationException(file.toString(), at.line(), at.column(), what);
    }

    private void check() throws ConfigurationException {
        if (configuration.block().isEmpty()) {
            throw error(Positions.Position.START, "no device: expected 'block:' with one at least");
        }
        Map<Object, String> owners = new HashMap<>();
        for (Map.Entry<String, BlockConfiguration> device : configuration.block().entrySet()) {
            String name = device.getKey();
            List<String> path = List.of("block", name);
            if (device.getValue() == null) {
                throw error(positions.ofName(path), "block." + name + ": expected a mapping");
            }
            try {
                Configuration.checkName(name);
            } catch (InvalidValueException e) {
                throw error(positions.ofName(path), "block: " + e.getMessage());
            }
            Binding on = device.getValue().on();
            String owner = owners.putIfAbsent(on.exclusive(), name);
            if (owner != null) {
                throw error(
                        positions.ofValue(List.of("block", name, "on")),
                        "block.%s.on: '%s': device %s has this socket already"
                                .formatted(name, on, owner));
            }
        }
    }
}
