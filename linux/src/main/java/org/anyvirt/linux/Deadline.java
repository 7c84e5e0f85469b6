package org.anyvirt.linux;

/** What is left of a time-out when a call must be made again. A negative time-out never ends. */
final class Deadline {
    private static final long NEVER = Long.MAX_VALUE;

    private Deadline() {}

    /** A deadline in nanoseconds of {@link System#nanoTime()}. */
    static long after(long timeoutMillis) {
        return timeoutMillis < 0 ? NEVER : System.nanoTime() + timeoutMillis * 1_000_000;
    }

    /** Milliseconds as poll(2) takes them: rounded up, 0 when over, -1 for ever. */
    static int remainingMillis(long deadline) {
        if (deadline == NEVER) {
            return -1;
        }
        long nanos = Math.max(0, deadline - System.nanoTime());
        return (int) Math.min(Integer.MAX_VALUE, (nanos + 999_999) / 1_000_000);
    }
}
