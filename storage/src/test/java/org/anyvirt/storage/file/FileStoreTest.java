package org.anyvirt.storage.file;

import java.io.IOException;
import java.nio.file.Path;
import org.anyvirt.devices.block.BlockStore;
import org.anyvirt.storage.BlockStoreContract;
import org.junit.jupiter.api.io.TempDir;

class FileStoreTest extends BlockStoreContract {
    @TempDir Path directory;

    @Override
    protected BlockStore create() throws IOException {
        return new FileStore.Options(directory.resolve("disk"), false, (long) CAPACITY, false)
                .open();
    }
}
