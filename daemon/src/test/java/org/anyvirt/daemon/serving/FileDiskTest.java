package org.anyvirt.daemon.serving;

import java.io.IOException;
import java.nio.file.Path;
import org.anyvirt.devices.block.BlockDevice;
import org.anyvirt.driver.block.BlockBackendContract;
import org.anyvirt.storage.Stores;
import org.anyvirt.transports.vhostuser.BackendOptions;
import org.anyvirt.transports.vhostuser.Endpoint;
import org.anyvirt.transports.vhostuser.VhostUserBackend;

/** Our own backend, in this process, on a file; qemu-storage-daemon passes the same contract. */
class FileDiskTest extends BlockBackendContract {
    @Override
    protected Backend start(int queues) throws IOException {
        BlockDevice device =
                new BlockDevice(
                        new BlockDevice.Config(queues, null, "contract", false, false),
                        Stores.open("file:" + image));
        VhostUserBackend served =
                new VhostUserBackend(
                        "contract",
                        device,
                        new Endpoint.Listen(directory.resolve("disk.sock"), 0600),
                        BackendOptions.DEFAULT);
        served.start();
        return new Backend() {
            @Override
            public Path socket() {
                return directory.resolve("disk.sock");
            }

            @Override
            public boolean resize(long capacity) throws IOException {
                device.resize(capacity);
                return true;
            }

            @Override
            public boolean servesWithoutCallFd() {
                return true;
            }

            @Override
            public boolean kill() {
                return false;
            }

            @Override
            public void close() {
                served.close();
                device.close();
            }
        };
    }
}
