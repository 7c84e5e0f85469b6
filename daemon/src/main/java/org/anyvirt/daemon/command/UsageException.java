package org.anyvirt.daemon.command;

/** The command line or the configuration is wrong; the message says all. */
final class UsageException extends Exception {
    private static final long serialVersionUID = 1;

    UsageException(String message) {
        super(message);
    }
}
