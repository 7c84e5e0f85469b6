package org.anyvirt.transports.vhostuser;

/** A message that was understood and is not honoured. */
final class RefusedException extends Exception {
    private static final long serialVersionUID = 1;

    /**
     * @param reason with the offending value
     */
    RefusedException(String reason) {
        super(reason);
    }

    RefusedException(String reason, Throwable cause) {
        super(reason, cause);
    }
}
