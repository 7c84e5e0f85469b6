package org.anyvirt.daemon.demo;

import java.io.IOException;
import java.nio.file.Path;
import org.anyvirt.driver.block.BlockDriver;
import org.anyvirt.driver.block.BlockOptions;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.vhostuser.VhostUserDevice;
import org.anyvirt.driver.vhostuser.VhostUserOptions;

/**
 * A disk that is served, as its driver finds it.
 *
 * @param socket where
 * @param image the file it stands on, or null
 */
record DemoDisk(String name, Path socket, Path image) {
    private static final long MEMORY = 32 << 20;

    BlockDriver drive(BlockOptions options) throws IOException {
        return BlockDriver.start(
                VhostUserDevice.connect(
                        socket, GuestMemory.ofSize(MEMORY), VhostUserOptions.DEFAULT),
                options);
    }
}
