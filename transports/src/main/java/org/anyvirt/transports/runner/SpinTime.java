package org.anyvirt.transports.runner;

/**
 * How long it pays to poll before sleeping, learnt from how long idle times were.
 *
 * <p>Data plane, one thread. Polling pays when work comes while it lasts. When an idle time was
 * longer than polling may last, all of it was wasted (the driver is slow, or waits for this very
 * CPU), and the next idle time begins with sleep; when it was short but longer than the polling,
 * polling longer would have caught it.
 */
final class SpinTime {
    /** The first step up from not polling at all. */
    static final long FIRST_NANOS = 4_000;

    private final long maxNanos;
    private long nanos;

    /**
     * @param maxNanos 0 never polls, {@link EpollRunner#ALWAYS_POLL} never does anything else
     */
    SpinTime(long maxNanos) {
        this.maxNanos = maxNanos;
        nanos = maxNanos;
    }

    long nanos() {
        return nanos;
    }

    /** There was no work for so long, and then there was. */
    void idleFor(long idleNanos) {
        if (idleNanos > maxNanos) {
            nanos = 0;
        } else if (idleNanos > nanos) {
            nanos = Math.min(maxNanos, Math.max(FIRST_NANOS, 2 * nanos));
        }
    }
}
