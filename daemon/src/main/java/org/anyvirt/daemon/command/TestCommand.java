package org.anyvirt.daemon.command;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code anyvirt test}, here for the help alone: the launcher of a source tree does it. */
@Command(
        name = "test",
        header = "Run the tests of anyvirt itself.",
        description = "The fast tier; in a source tree only.")
final class TestCommand implements Callable<Integer> {
    @Option(names = "--all", description = "The matrix of guests and the soak as well.")
    private boolean all;

    @Override
    public Integer call() throws UsageException {
        throw new UsageException("only ./anyvirt of a source tree can test it");
    }
}
