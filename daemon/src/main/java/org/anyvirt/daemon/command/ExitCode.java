package org.anyvirt.daemon.command;

/** What the process ends with. The help of the commands lists the same. */
public final class ExitCode {
    public static final int OK = 0;

    /** It could not be done: a file, a socket, a driver. */
    public static final int FAILURE = 1;

    /** The command line or the configuration is wrong; nothing was done. */
    public static final int USAGE = 2;

    /** {@code ctl}: no daemon listens on the control socket. */
    public static final int NO_DAEMON = 3;

    /** {@code ctl}: the daemon refused. */
    public static final int REFUSED = 4;

    /** A defect of this program. */
    public static final int DEFECT = 70; // EX_SOFTWARE of sysexits.h

    private ExitCode() {}
}
