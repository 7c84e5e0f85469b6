package org.anyvirt.daemon.configuration;

import java.nio.file.Path;
import org.anyvirt.storage.StoreOptions;
import org.anyvirt.storage.Stores;
import org.anyvirt.storage.file.FileStore;

/**
 * What a disk stands on, checked as far as it can be without touching anything.
 *
 * @param text as the user wrote it: {@code file:disk.img,direct=on}
 */
public record StoreChoice(String text, StoreOptions options) {
    public static StoreChoice parse(String text) {
        try {
            return new StoreChoice(text, Stores.parse(text));
        } catch (IllegalArgumentException e) {
            throw InvalidValueException.because(e.getMessage());
        }
    }

    /** A file or a block device, with all defaults. */
    public static StoreChoice file(Path path) {
        return parse("file:" + escape(path));
    }

    /** The same for a process with another working directory. */
    public StoreChoice withAbsolutePath() {
        return options instanceof FileStore.Options file && !file.path().isAbsolute()
                ? parse(
                        "file:%s/%s"
                                .formatted(
                                        escape(Path.of("").toAbsolutePath()),
                                        text.substring("file:".length())))
                : this;
    }

    /** A comma in a path is written twice. */
    private static String escape(Path path) {
        return path.toString().replace(",", ",,");
    }

    @Override
    public String toString() {
        return text;
    }
}
