package org.anyvirt.daemon.configuration;

/** When a write is durable (VIRTIO 1.3, 5.2.6.2); a driver may be able to change it. */
public enum CacheMode {
    /** After the driver's next flush. */
    WRITEBACK,
    /** When it completes. */
    WRITETHROUGH;

    public static CacheMode parse(String text) {
        return Words.parse(CacheMode.class, text);
    }

    @Override
    public String toString() {
        return Words.of(this);
    }
}
