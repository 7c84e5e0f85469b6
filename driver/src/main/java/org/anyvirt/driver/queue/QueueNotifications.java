package org.anyvirt.driver.queue;

/** How driver and device notify each other about one started queue. Data plane. */
public interface QueueNotifications {
    /** Sends the device an available buffer notification. */
    void sendAvailable();

    /**
     * Waits for a used buffer notification of the device; one that came earlier counts.
     *
     * @return false when none came in time
     */
    boolean awaitUsed(int timeoutMillis);
}
