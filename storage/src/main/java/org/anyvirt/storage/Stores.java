package org.anyvirt.storage;

import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import org.anyvirt.devices.block.BlockStore;
import org.anyvirt.storage.file.FileStore;
import org.anyvirt.storage.memory.MemoryStore;
import org.anyvirt.storage.zero.ZeroStore;

/**
 * The stores, as users write them on the command line and in the configuration.
 *
 * <ul>
 *   <li>{@code file:PATH[,direct=on][,size=10G][,read-only=on]}: a file or a block device
 *   <li>{@code memory:64M}: the memory of this process
 *   <li>{@code zero:1T[,fill=off]}: nothing, for measuring
 * </ul>
 */
public final class Stores {
    private Stores() {}

    /**
     * @throws IllegalArgumentException naming the key or value that is wrong, and what is expected
     */
    public static StoreOptions parse(String text) {
        StoreText store = new StoreText(text);
        StoreOptions options =
                switch (store.kind()) {
                    case "file" ->
                            new FileStore.Options(
                                    path(store),
                                    store.flag("direct", false),
                                    store.size("size"),
                                    store.flag("read-only", false));
                    case "memory" -> new MemoryStore.Options(store.whatSize());
                    case "zero" ->
                            new ZeroStore.Options(store.whatSize(), store.flag("fill", true));
                    default -> throw store.wrong("file:PATH, memory:SIZE or zero:SIZE is expected");
                };
        store.end();
        return options;
    }

    /** Opens the store that {@code text} describes. */
    public static BlockStore open(String text) throws IOException {
        return parse(text).open();
    }

    private static Path path(StoreText store) {
        try {
            return Path.of(store.what("a path"));
        } catch (InvalidPathException e) {
            throw store.wrong("not a path: " + e.getMessage());
        }
    }
}
