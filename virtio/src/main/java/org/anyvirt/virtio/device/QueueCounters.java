package org.anyvirt.virtio.device;

/**
 * What a queue has done since it started, as seen at some moment.
 *
 * @param completed chains given back to the driver
 * @param inFlight chains taken and not completed
 * @param notificationsSent used buffer notifications sent
 * @param notificationsSuppressed batches of completions whose notification the driver did not want
 * @param broken why the queue is broken, or null
 */
public record QueueCounters(
        long completed,
        int inFlight,
        long notificationsSent,
        long notificationsSuppressed,
        String broken) {}
