package org.anyvirt.daemon.command;

import java.io.IOException;
import java.io.PrintWriter;
import java.net.ConnectException;
import java.net.SocketException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.anyvirt.daemon.configuration.Capacity;
import org.anyvirt.daemon.configuration.ControlSocket;
import org.anyvirt.daemon.control.ControlAnswer;
import org.anyvirt.daemon.control.ControlConnection;
import org.anyvirt.daemon.control.ControlRequest.Operation;
import org.anyvirt.daemon.control.Json;
import org.anyvirt.daemon.serving.DeviceStatus;
import org.anyvirt.daemon.serving.RefusedException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** {@code anyvirt ctl}: what to do with a daemon while it serves. */
@Command(
        name = "ctl",
        header = "Look at, and change, what a daemon serves.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            ControlCommand.ListDevices.class,
            ControlCommand.Show.class,
            ControlCommand.Resize.class,
            ControlCommand.Add.class,
            ControlCommand.Remove.class,
            ControlCommand.Shutdown.class
        },
        footer = {
            "",
            "Examples:",
            "  anyvirt ctl list",
            "  anyvirt ctl resize disk0 20G",
            "  anyvirt ctl add block --name disk2 --store memory:1G \\",
            "      --on vhost-user:/tmp/disk2.sock",
            "  anyvirt ctl --json show disk0"
        })
final class ControlCommand implements Callable<Integer> {
    /** For what a daemon drains and flushes on the way. */
    private static final long TIMEOUT_MILLIS = Service.DRAIN_MILLIS + 15_000;

    @Option(
            names = {"--control", "--socket"},
            paramLabel = "PATH",
            scope = ScopeType.INHERIT,
            order = 90,
            description = "The daemon's control socket; by default serve's.")
    private Path socket;

    @Option(
            names = "--json",
            scope = ScopeType.INHERIT,
            order = 90,
            description = "Print the answer as JSON.")
    private boolean json;

    @Spec private CommandSpec spec;

    @Override
    public Integer call() throws UsageException {
        throw new UsageException(
                "what to do? list, show, resize, add, remove or shutdown: anyvirt ctl --help");
    }

    private PrintWriter out() {
        return spec.commandLine().getOut();
    }

    /** Asks the daemon, and prints the devices that it answers with. */
    private int ask(Operation operation, DevicePrinter printer) throws Exception {
        try (ControlConnection connection = connect()) {
            ControlAnswer answer = connection.ask(operation);
            if (answer.error() != null) {
                throw new RefusedException(answer.error());
            }
            if (operation instanceof Operation.Shutdown) {
                connection.awaitEnd();
            }
            if (json) {
                out().println(Json.writePretty(answer));
            } else {
                printer.print(answer.devices(), out());
            }
            out().flush();
        }
        return ExitCode.OK;
    }

    private ControlConnection connect() throws IOException, NoDaemonException {
        Path path = socket == null ? ControlSocket.byDefault().path() : socket;
        try {
            return ControlConnection.open(path, TIMEOUT_MILLIS);
        } catch (ConnectException | IllegalArgumentException e) {
            throw new NoDaemonException("no daemon listens on " + path);
        } catch (SocketException e) {
            throw new NoDaemonException(
                    "no daemon listens on %s (%s)".formatted(path, e.getMessage()));
        }
    }

    /** How to print the devices of an answer. */
    @FunctionalInterface
    private interface DevicePrinter {
        void print(List<DeviceStatus> devices, PrintWriter out);
    }

    private static void printNothing(List<DeviceStatus> devices, PrintWriter out) {}

    @Command(name = "list", header = "List the devices.")
    static final class ListDevices implements Callable<Integer> {
        @ParentCommand private ControlCommand ctl;

        @Override
        public Integer call() throws Exception {
            return ctl.ask(new Operation.ListDevices(), DeviceTables::printAll);
        }
    }

    @Command(name = "show", header = "Show a device, its counters and virtqueues.")
    static final class Show implements Callable<Integer> {
        @ParentCommand private ControlCommand ctl;

        @Parameters(paramLabel = "DEVICE")
        private String device;

        @Override
        public Integer call() throws Exception {
            return ctl.ask(new Operation.Show(device), DeviceTables::printEach);
        }
    }

    @Command(name = "resize", header = "Change a disk's capacity; its guest sees it at once.")
    static final class Resize implements Callable<Integer> {
        @ParentCommand private ControlCommand ctl;

        @Parameters(paramLabel = "DEVICE")
        private String device;

        @Parameters(paramLabel = "CAPACITY", description = "Like 512M, 20G or 1T.")
        private Capacity capacity;

        @Override
        public Integer call() throws Exception {
            return ctl.ask(new Operation.Resize(device, capacity), DeviceTables::printAll);
        }
    }

    @Command(
            name = "add",
            header = "Serve another device.",
            synopsisSubcommandLabel = "DEVICE",
            subcommands = AddBlock.class)
    static final class Add implements Callable<Integer> {
        @ParentCommand private ControlCommand ctl;

        @Override
        public Integer call() throws UsageException {
            throw new UsageException("add what? anyvirt ctl add block --help");
        }
    }

    @Command(name = "block", header = "Serve another disk.", sortOptions = false)
    static final class AddBlock implements Callable<Integer> {
        @ParentCommand private Add add;

        @Mixin private BlockOptions block;

        @Override
        public Integer call() throws Exception {
            // The daemon's working directory is another.
            return add.ctl.ask(
                    new Operation.Add(block.name(), block.configuration().withAbsolutePaths()),
                    DeviceTables::printAll);
        }
    }

    @Command(
            name = "remove",
            header = "Serve a device no more.",
            description = {
                "Finishes the requests in flight, flushes the store and removes the socket.",
                ""
            })
    static final class Remove implements Callable<Integer> {
        @ParentCommand private ControlCommand ctl;

        @Parameters(paramLabel = "DEVICE")
        private String device;

        @Override
        public Integer call() throws Exception {
            return ctl.ask(new Operation.Remove(device), ControlCommand::printNothing);
        }
    }

    @Command(name = "shutdown", header = "End the daemon, and wait until it has ended.")
    static final class Shutdown implements Callable<Integer> {
        @ParentCommand private ControlCommand ctl;

        @Override
        public Integer call() throws Exception {
            return ctl.ask(new Operation.Shutdown(), ControlCommand::printNothing);
        }
    }
}
