package org.anyvirt.daemon.command;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.function.Function;
import org.anyvirt.daemon.Failures;
import org.anyvirt.daemon.configuration.Binding;
import org.anyvirt.daemon.configuration.CacheMode;
import org.anyvirt.daemon.configuration.Capacity;
import org.anyvirt.daemon.configuration.ConfigurationException;
import org.anyvirt.daemon.configuration.ControlSocket;
import org.anyvirt.daemon.configuration.InvalidValueException;
import org.anyvirt.daemon.configuration.Polling;
import org.anyvirt.daemon.configuration.StoreChoice;
import org.anyvirt.daemon.serving.RefusedException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.TypeConversionException;

/** {@code anyvirt}: all its commands, and what they have in common. */
@Command(
        name = "anyvirt",
        header = {"VirtIO devices for virtual machines: one backend, any hypervisor.", ""},
        synopsisSubcommandLabel = "COMMAND",
        versionProvider = AnyvirtCommand.Version.class,
        subcommands = {
            ServeCommand.class,
            ControlCommand.class,
            BlockBackendCommand.class,
            DemoCommand.class,
            TestCommand.class
        },
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:it was done; for a daemon also: it was told to stop",
            "1:it could not be done, for a reason outside: a file, a socket, a driver",
            "2:the command line or the configuration is wrong; nothing was done",
            "3:ctl: no daemon listens on the control socket",
            "4:ctl: the daemon refused",
            "70:a defect of anyvirt; please report it"
        },
        footer = {
            "",
            "Examples:",
            "  anyvirt demo",
            "  anyvirt serve block --store file:disk.img,size=10G \\",
            "      --on vhost-user:/tmp/disk.sock",
            "  anyvirt ctl list",
            "",
            "anyvirt COMMAND --help says more about each."
        })
public final class AnyvirtCommand implements Callable<Integer> {
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            scope = ScopeType.INHERIT,
            order = 100,
            description = "Print this.")
    private boolean help;

    @Option(names = "--version", versionHelp = true, description = "Print the version.")
    private boolean version;

    @Option(
            names = {"-v", "--verbose"},
            scope = ScopeType.INHERIT,
            order = 100,
            description = "Log more, and where errors come from.")
    void verbose(boolean on) {
        if (on) {
            System.setProperty(LOG_LEVEL, "DEBUG");
        }
    }

    /** Read by logback.xml. */
    private static final String LOG_LEVEL = "anyvirt.log.level";

    /** Logs no more than this, unless `--verbose` was given; before anything is logged. */
    static void logAtMost(String level) {
        if (System.getProperty(LOG_LEVEL) == null) {
            System.setProperty(LOG_LEVEL, level);
        }
    }

    private AnyvirtCommand() {}

    @Override
    public Integer call() throws UsageException {
        throw new UsageException("what to do? serve, ctl, demo, ...: anyvirt --help");
    }

    /**
     * Runs one command, in this process.
     *
     * @return its exit code
     */
    public static int run(String... arguments) {
        return run(new PrintWriter(System.out, true), new PrintWriter(System.err, true), arguments);
    }

    static int run(PrintWriter out, PrintWriter err, String... arguments) {
        // By convention of the vhost-user specification every other argument is ignored then, also
        // one that is wrong.
        if (arguments.length > 0
                && arguments[0].equals("block")
                && Arrays.asList(arguments).contains(BlockBackendCommand.PRINT_CAPABILITIES)) {
            out.print(BlockBackendCommand.CAPABILITIES);
            out.flush();
            return ExitCode.OK;
        }
        return commandLine().setOut(out).setErr(err).execute(arguments);
    }

    private static CommandLine commandLine() {
        CommandLine line = new CommandLine(new AnyvirtCommand());
        register(line, Binding.class, Binding::parse);
        register(line, CacheMode.class, CacheMode::parse);
        register(line, Capacity.class, Capacity::parse);
        register(line, ControlSocket.class, ControlSocket::parse);
        register(line, Polling.class, Polling::parse);
        register(line, StoreChoice.class, StoreChoice::parse);
        return line.setUsageHelpAutoWidth(false)
                .setAbbreviatedOptionsAllowed(false)
                .setParameterExceptionHandler(AnyvirtCommand::misused)
                .setExecutionExceptionHandler(AnyvirtCommand::failed);
    }

    private static <T> void register(CommandLine line, Class<T> type, Function<String, T> parse) {
        line.registerConverter(
                type,
                text -> {
                    try {
                        return parse.apply(text);
                    } catch (InvalidValueException e) {
                        throw new TypeConversionException(e.getMessage());
                    }
                });
    }

    private static int misused(ParameterException e, String[] arguments) {
        CommandLine command = e.getCommandLine();
        PrintWriter err = command.getErr();
        err.println("anyvirt: " + e.getMessage());
        err.println("Try: %s --help".formatted(command.getCommandSpec().qualifiedName()));
        return ExitCode.USAGE;
    }

    private static int failed(Exception e, CommandLine command, ParseResult parsed) {
        PrintWriter err = command.getErr();
        boolean verbose = "DEBUG".equals(System.getProperty(LOG_LEVEL));
        boolean defect = false;
        int exitCode;
        String message = e.getMessage();
        switch (e) {
            case UsageException usage -> exitCode = ExitCode.USAGE;
            case NoDaemonException none -> exitCode = ExitCode.NO_DAEMON;
            case RefusedException refused -> exitCode = ExitCode.REFUSED;
            case ConfigurationException configuration -> exitCode = ExitCode.FAILURE;
            case IOException io -> {
                exitCode = ExitCode.FAILURE;
                message = Failures.describe(io);
            }
            default -> {
                exitCode = ExitCode.DEFECT;
                message = "a defect of this program, please report it: " + e;
                defect = true;
            }
        }
        err.println("anyvirt: " + message);
        if (verbose || defect) {
            e.printStackTrace(err);
        }
        return exitCode;
    }

    /** What the build wrote into the jar. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            var descriptor = AnyvirtCommand.class.getModule().getDescriptor();
            String version =
                    descriptor == null ? "" : descriptor.rawVersion().orElse("unknown version");
            return new String[] {
                "anyvirt " + version,
                "on Java %s, %s %s"
                        .formatted(
                                System.getProperty("java.runtime.version"),
                                System.getProperty("os.name"),
                                System.getProperty("os.version"))
            };
        }
    }
}
