package org.anyvirt.storage;

import java.io.IOException;
import org.anyvirt.devices.block.BlockStore;

/** Which store a user wants, checked as far as it can be without touching anything. */
public interface StoreOptions {
    /**
     * @throws IOException when it cannot be opened, saying why and, where it is known, what to do
     */
    BlockStore open() throws IOException;

    /** The same store, opened without the right to write where there is such a thing. */
    default StoreOptions asReadOnly() {
        return this;
    }
}
