package org.anyvirt.daemon.command;

import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.anyvirt.daemon.configuration.Binding;
import org.anyvirt.daemon.configuration.BlockConfiguration;
import org.anyvirt.daemon.configuration.ControlSocket;
import org.anyvirt.daemon.configuration.InvalidValueException;
import org.anyvirt.daemon.configuration.StoreChoice;
import org.anyvirt.daemon.serving.Daemon;
import org.anyvirt.daemon.serving.ServedBlockDevice;
import org.anyvirt.transports.vhostuser.Endpoint;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code anyvirt block}: the conventions for backend programs of the vhost-user specification. */
@Command(
        name = "block",
        header = "Serve one disk, started as management software starts a backend.",
        sortOptions = false,
        description = {
            "Keeps the conventions for backend programs of the vhost-user protocol.",
            ""
        },
        footer = {
            "",
            "Called vhost-user-block, by a link of that name, anyvirt is this command.",
            "share/qemu/vhost-user/50-anyvirt-block.json is how management software",
            "finds it; docs/devices/block.md says how to install both."
        })
final class BlockBackendCommand implements Callable<Integer> {
    static final String PRINT_CAPABILITIES = "--print-capabilities";

    /** A VHostUserBackendCapabilities of QEMU's docs/interop/vhost-user.json. */
    static final String CAPABILITIES =
            """
            {
              "type": "block",
              "features": [
                "read-only",
                "blk-file"
              ]
            }
            """;

    @ArgGroup(multiplicity = "1")
    private Socket socket;

    /** One of the two. */
    private static final class Socket {
        @Option(
                names = "--socket-path",
                paramLabel = "PATH",
                required = true,
                description = "The socket to listen on.")
        private String path;

        @Option(
                names = "--fd",
                paramLabel = "N",
                required = true,
                description = {
                    "A socket that this process was started with;",
                    "it listens, or has the only frontend."
                })
        private Integer fd;
    }

    @Option(
            names = "--blk-file",
            paramLabel = "PATH",
            required = true,
            description = "The file or block device to serve.")
    private Path file;

    @Option(names = "--read-only", description = "Refuse writes.")
    private boolean readOnly;

    @Option(names = PRINT_CAPABILITIES, description = "Print in JSON what this program can do.")
    private boolean printCapabilities;

    @Override
    public Integer call() throws Exception {
        BlockConfiguration configuration = configuration();
        return Service.run(
                new Daemon(ServedBlockDevice::start),
                ControlSocket.NONE,
                daemon -> {
                    daemon.add("block", configuration);
                    daemon.finished("block").thenRun(daemon::requestShutdown);
                });
    }

    private BlockConfiguration configuration() throws UsageException {
        try {
            Endpoint endpoint =
                    socket.path == null
                            ? new Endpoint.Inherited(socket.fd)
                            : new Endpoint.Listen(
                                    Binding.socketPath(socket.path, socket.path),
                                    Binding.MODE_DEFAULT);
            return BlockConfiguration.of(
                    StoreChoice.file(file), new Binding.VhostUser(endpoint), readOnly);
        } catch (InvalidValueException e) {
            throw new UsageException("--socket-path: " + e.getMessage());
        }
    }
}
