package org.anyvirt.transports.vhostuser;

/** What a backend is doing. */
public enum BackendState {
    /** Not started. */
    NEW,
    /** Waiting for a frontend. */
    WAITING,
    /** Serving a frontend. */
    CONNECTED,
    /** It was closed, or there can be no other frontend. */
    CLOSED
}
