package org.anyvirt.daemon.command;

/** Nothing listens on the control socket. */
final class NoDaemonException extends Exception {
    private static final long serialVersionUID = 1;

    NoDaemonException(String message) {
        super(message);
    }
}
