package org.anyvirt.daemon.serving;

/** The daemon does not do what it was asked; the message says why, to the person who asked. */
public final class RefusedException extends Exception {
    private static final long serialVersionUID = 1;

    public RefusedException(String message) {
        super(message);
    }
}
