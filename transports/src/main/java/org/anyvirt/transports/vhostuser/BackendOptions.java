package org.anyvirt.transports.vhostuser;

/**
 * How a backend serves its device.
 *
 * @param runners threads that serve the queues, at least 1; queue {@code i} belongs to thread
 *     {@code i % runners}
 * @param spinMicros how long a thread polls after it last had work before it sleeps; 0 never polls,
 *     {@link #ALWAYS_POLL} never sleeps
 */
public record BackendOptions(int runners, long spinMicros) {
    /** Never sleep while a queue is started. */
    public static final long ALWAYS_POLL = Long.MAX_VALUE;

    /** One thread that polls for a moment before it sleeps. */
    public static final BackendOptions DEFAULT = new BackendOptions(1, 32);

    public BackendOptions {
        if (runners < 1) {
            throw new IllegalArgumentException("at least 1 runner, not " + runners);
        }
        if (spinMicros < 0) {
            throw new IllegalArgumentException("spin for 0 us or more, not " + spinMicros);
        }
    }
}
