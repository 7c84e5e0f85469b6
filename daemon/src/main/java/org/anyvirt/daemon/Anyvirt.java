package org.anyvirt.daemon;

import java.io.IOException;
import java.nio.file.Path;
import org.anyvirt.daemon.command.AnyvirtCommand;
import org.anyvirt.daemon.command.Training;

/** Where the process begins. */
public final class Anyvirt {
    private Anyvirt() {}

    /** Runs one command, and ends the process with its exit code. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        String training = System.getProperty("anyvirt.training");
        if (training != null) {
            Training.run(Path.of(training));
            return; // the JVM writes its cache at the regular end
        }
        // Not exit(), which would set up logging to say that it was called. All is closed by now.
        Runtime.getRuntime().halt(AnyvirtCommand.run(arguments));
    }
}
