package org.anyvirt.daemon.serving;

import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A served device, as seen at some moment.
 *
 * @param type as the configuration spells it: {@code block}
 * @param on where it meets its driver
 * @param store what it stands on
 * @param capacity in bytes
 * @param counters of the device since it was added, by name
 * @param queuesOffered how many virtqueues a driver could start
 * @param queues the virtqueues that a driver has started
 */
public record DeviceStatus(
        String name,
        String type,
        State state,
        String on,
        String store,
        long capacity,
        boolean readOnly,
        Map<String, Long> counters,
        int queuesOffered,
        List<QueueStatus> queues) {
    /** What goes on between the device and its driver. */
    public enum State {
        /** No frontend is connected. */
        WAITING,
        /** A frontend is connected. */
        CONNECTED,
        /** A virtqueue is broken until the driver resets it. */
        BROKEN;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * A started virtqueue; counters are since its start.
     *
     * @param completed descriptor chains given back to the driver
     * @param inFlight descriptor chains taken and not given back
     * @param notificationsSent used buffer notifications
     * @param notificationsSuppressed batches whose notification the driver did not want
     * @param broken why it is broken, or null
     */
    public record QueueStatus(
            int index,
            long completed,
            int inFlight,
            long notificationsSent,
            long notificationsSuppressed,
            String broken) {}
}
