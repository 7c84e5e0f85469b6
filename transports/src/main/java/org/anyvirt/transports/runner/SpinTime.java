package org.anyvirt.transports.runner;

/**
 * How long it pays to poll before sleeping, learnt from how long idle times were.
 *
 * <p>Data plane, one thread. Polling pays when work comes while it lasts. When an idle time was
 * short but longer than the polling, polling longer would have caught it, and is tried. When it was
 * longer than polling may last, all of the polling was wasted: the driver is slow, or waits for
 * this very CPU. Then so many idle times begin with sleep, twice as many each time that another try
 * fails.
 */
final class SpinTime {
    /** The first step up from not polling at all. */
    static final long FIRST_NANOS = 4_000;

    /** Idle times that begin with sleep, after one failure and after many. */
    static final int FIRST_PAUSE = 4;

    static final int LAST_PAUSE = 4096;

    private final long maxNanos;
    private long nanos;
    private int pause = FIRST_PAUSE;
    private int pausing;

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
        if (pausing > 0) {
            pausing--;
        } else if (idleNanos <= nanos) {
            pause = FIRST_PAUSE;
        } else if (idleNanos > maxNanos) {
            nanos = 0;
            pausing = pause;
            pause = Math.min(LAST_PAUSE, 2 * pause);
        } else {
            nanos = Math.min(maxNanos, Math.max(FIRST_NANOS, 2 * nanos));
        }
    }
}
