package org.anyvirt.storage;

import java.io.IOException;
import org.anyvirt.devices.block.BlockStore;

/** Which store a user wants, checked as far as it can be without touching anything. */
public interface StoreOptions {
    /**
     * @throws IOException when it cannot be opened, saying why and, where it is known, what to do
     */
    BlockStore open() throws IOException;
}
