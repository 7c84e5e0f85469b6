package org.anyvirt.transports.vhostuser.message;

/** Bytes that are no vhost-user message, or not the one that they claim to be. */
public final class MalformedMessageException extends Exception {
    private static final long serialVersionUID = 1;

    /**
     * @param reason what is wrong, with the offending value
     */
    public MalformedMessageException(String reason) {
        super(reason);
    }
}
