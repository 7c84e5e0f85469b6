package org.anyvirt.daemon.serving;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.anyvirt.daemon.configuration.Binding;
import org.anyvirt.daemon.configuration.BlockConfiguration;
import org.anyvirt.daemon.configuration.StoreChoice;
import org.anyvirt.driver.block.BlockBackendContract;
import org.anyvirt.transports.vhostuser.Endpoint;

/** What every block backend must do, done by ours, through a real socket. */
final class ServedBlockDeviceTest extends BlockBackendContract {
    @Override
    protected Backend start(int queues) throws IOException {
        Path socket = directory.resolve("disk.sock");
        BlockConfiguration configuration =
                new BlockConfiguration(
                        StoreChoice.file(image),
                        new Binding.VhostUser(new Endpoint.Listen(socket, 0600)),
                        queues,
                        null,
                        null,
                        null,
                        null,
                        2,
                        null);
        ServedBlockDevice device = ServedBlockDevice.start("disk0", configuration);
        return new Backend() {
            @Override
            public Path socket() {
                return socket;
            }

            @Override
            public boolean resize(long capacity) throws IOException {
                try {
                    device.resize(capacity);
                } catch (RefusedException e) {
                    throw new AssertionError(e);
                }
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
                try {
                    device.close();
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
                assertThat(socket).doesNotExist();
                assertThat(device.finished()).isCompleted();
            }
        };
    }
}
