package org.anyvirt.daemon.configuration;

import org.anyvirt.transports.vhostuser.BackendOptions;

/** What a runner does when its virtqueues have nothing to do. */
public enum Polling {
    /** It looks again for a moment, then sleeps until notified. */
    ADAPTIVE(BackendOptions.DEFAULT.spinMicros()),
    /** It never sleeps while a virtqueue is started: the shortest latency, a whole CPU. */
    ALWAYS(BackendOptions.ALWAYS_POLL),
    /** It sleeps at once: the least CPU. */
    NEVER(0);

    private final long spinMicros;

    Polling(long spinMicros) {
        this.spinMicros = spinMicros;
    }

    public long spinMicros() {
        return spinMicros;
    }

    public static Polling parse(String text) {
        return Words.parse(Polling.class, text);
    }

    @Override
    public String toString() {
        return Words.of(this);
    }
}
