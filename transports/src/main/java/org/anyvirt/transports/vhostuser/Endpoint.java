package org.anyvirt.transports.vhostuser;

import java.nio.file.Path;

/** Where a backend meets its frontends. */
public sealed interface Endpoint {
    /**
     * Listens on a socket that it makes, and that it removes in the end.
     *
     * @param mode the permissions of the socket, {@code 0600} for its owner alone
     */
    record Listen(Path path, int mode) implements Endpoint {
        @Override
        public String toString() {
            return path.toString();
        }
    }

    /** Connects to a frontend that listens, and again when it has gone, until one is there. */
    record Connect(Path path) implements Endpoint {
        @Override
        public String toString() {
            return path + " (connecting)";
        }
    }

    /**
     * A socket that this process was started with.
     *
     * @param descriptor its number; listening, or connected to the only frontend there will be
     */
    record Inherited(int descriptor) implements Endpoint {
        @Override
        public String toString() {
            return "descriptor " + descriptor;
        }
    }
}
