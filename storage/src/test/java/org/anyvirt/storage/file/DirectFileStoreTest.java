package org.anyvirt.storage.file;

import java.io.IOException;
import java.nio.file.Path;
import org.anyvirt.devices.block.BlockStore;
import org.anyvirt.storage.BlockStoreContract;
import org.junit.jupiter.api.io.TempDir;

class DirectFileStoreTest extends BlockStoreContract {
    /** Not in /tmp, which may be a tmpfs, and that has no direct I/O on older kernels. */
    @TempDir(factory = InBuildDirectory.class)
    Path directory;

    @Override
    protected BlockStore create() throws IOException {
        return new FileStore.Options(directory.resolve("disk"), true, (long) CAPACITY, false)
                .open();
    }
}
