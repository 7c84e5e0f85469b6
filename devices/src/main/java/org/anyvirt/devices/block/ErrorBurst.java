package org.anyvirt.devices.block;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.TimeUnit;

/** Logs errors that may come by the thousand: one line a burst, with how many there were. */
final class ErrorBurst {
    private static final Logger LOG = System.getLogger(BlockDevice.class.getName());
    private static final long PAUSE_NANOS = TimeUnit.SECONDS.toNanos(10);

    private long lastLogNanos;
    private long unlogged;
    private boolean any;

    /** Whether this error is to be logged, with {@link #log}; counts it otherwise. */
    boolean starts(long nowNanos) {
        if (any && nowNanos - lastLogNanos < PAUSE_NANOS) {
            unlogged++;
            return false;
        }
        any = true;
        lastLogNanos = nowNanos;
        return true;
    }

    void log(String message) {
        LOG.log(
                Level.WARNING,
                unlogged == 0 ? message : message + " (and %d like it before)".formatted(unlogged));
        unlogged = 0;
    }

    /** Reports those that no line has told of. */
    void end(String name) {
        if (unlogged > 0) {
            LOG.log(Level.WARNING, "{0}: {1} more requests failed", name, unlogged);
            unlogged = 0;
        }
    }
}
