package org.anyvirt.daemon.command;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import org.anyvirt.daemon.Failures;
import org.anyvirt.daemon.configuration.BlockConfiguration;
import org.anyvirt.daemon.configuration.ConfigurationException;
import org.anyvirt.daemon.configuration.ConfigurationFile;
import org.anyvirt.daemon.configuration.ControlSocket;
import org.anyvirt.daemon.serving.Daemon;
import org.anyvirt.daemon.serving.RefusedException;
import org.anyvirt.daemon.serving.ServedBlockDevice;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.ScopeType;

/** {@code anyvirt serve}: the daemon. */
@Command(
        name = "serve",
        header = "Serve devices until told to stop.",
        subcommands = ServeCommand.Block.class,
        synopsisSubcommandLabel = "[DEVICE ...]",
        footer = {
            "",
            "Examples:",
            "  anyvirt serve --config docs/examples/two-disks.yaml",
            "  anyvirt serve block --store file:disk.img,size=10G \\",
            "      --on vhost-user:/tmp/disk.sock",
            "",
            "SIGTERM, SIGINT and `anyvirt ctl shutdown` end it: requests in flight are",
            "finished, stores flushed, sockets removed. That takes 30 seconds at most.",
            "docs/configuration.md describes the configuration."
        })
final class ServeCommand implements Callable<Integer> {
    @Option(names = "--config", paramLabel = "FILE", description = "The devices to serve, in YAML.")
    private Path config;

    @Option(
            names = "--control",
            paramLabel = "PATH",
            scope = ScopeType.INHERIT,
            order = 90,
            description = {
                "The socket for `anyvirt ctl`, or none. By default",
                "/run/anyvirt/control.sock for root, for others",
                "anyvirt/control.sock in $XDG_RUNTIME_DIR."
            })
    private ControlSocket control;

    @Override
    public Integer call() throws Exception {
        if (config == null) {
            throw new UsageException(
                    "what to serve? Give --config FILE, or a device: anyvirt serve block --help");
        }
        ConfigurationFile file;
        try {
            file = ConfigurationFile.read(config);
        } catch (ConfigurationException e) {
            throw new UsageException(e.getMessage());
        }
        return Service.run(
                new Daemon(ServedBlockDevice::start),
                control == null ? file.configuration().control() : control,
                daemon -> addAll(file, daemon));
    }

    private static void addAll(ConfigurationFile file, Daemon daemon)
            throws ConfigurationException, RefusedException {
        for (Map.Entry<String, BlockConfiguration> device :
                file.configuration().block().entrySet()) {
            try {
                daemon.add(device.getKey(), device.getValue());
            } catch (IOException e) {
                throw file.error(device.getKey(), Failures.describe(e));
            }
        }
    }

    /** {@code anyvirt serve block}: one disk. */
    @Command(
            name = "block",
            header = "Serve one disk until told to stop.",
            sortOptions = false,
            footer = {
                "",
                "Examples:",
                "  anyvirt serve block --store file:disk.img,size=10G \\",
                "      --on vhost-user:/tmp/disk.sock",
                "  anyvirt serve block --store file:/dev/vg0/vm1,direct=on --runners 4 \\",
                "      --on vhost-user:/run/vm1/disk.sock,mode=0660",
                "",
                "and then the guest, with QEMU (its memory must be shared):",
                "  qemu-system-x86_64 -machine q35 -m 1G -numa node,memdev=mem \\",
                "      -object memory-backend-memfd,id=mem,size=1G,share=on \\",
                "      -chardev socket,id=disk,path=/tmp/disk.sock \\",
                "      -device vhost-user-blk-pci,chardev=disk ..."
            })
    static final class Block implements Callable<Integer> {
        @ParentCommand private ServeCommand serve;

        @Mixin private BlockOptions block;

        @Override
        public Integer call() throws Exception {
            if (serve.config != null) {
                throw new UsageException("--config or a device, not both");
            }
            String name = block.name();
            BlockConfiguration configuration = block.configuration();
            return Service.run(
                    new Daemon(ServedBlockDevice::start),
                    serve.control == null ? ControlSocket.byDefault() : serve.control,
                    daemon -> daemon.add(name, configuration));
        }
    }
}
