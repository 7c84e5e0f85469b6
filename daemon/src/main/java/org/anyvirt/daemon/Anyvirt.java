package org.anyvirt.daemon;

import org.anyvirt.daemon.command.AnyvirtCommand;

/** Where the process begins. */
public final class Anyvirt {
    private Anyvirt() {}

    /** Runs one command, and ends the process with its exit code. */
    public static void main(String[] arguments) {
        int exitCode = AnyvirtCommand.run(arguments);
        if (exitCode != 0 || System.getProperty("anyvirt.return") == null) {
            // Not exit(), which would set up logging to say that it was called. Everything has been
            // closed by now. (A training run returns: the JVM writes its cache at the regular end.)
            Runtime.getRuntime().halt(exitCode);
        }
    }
}
