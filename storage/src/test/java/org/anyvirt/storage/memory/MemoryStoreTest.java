package org.anyvirt.storage.memory;

import java.io.IOException;
import org.anyvirt.devices.block.BlockStore;
import org.anyvirt.storage.BlockStoreContract;

class MemoryStoreTest extends BlockStoreContract {
    @Override
    protected BlockStore create() throws IOException {
        return new MemoryStore.Options(CAPACITY).open();
    }
}
