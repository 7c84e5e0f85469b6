package org.anyvirt.virtio.device;

import org.anyvirt.virtio.queue.QueueLayout;
import org.anyvirt.virtio.queue.QueuePosition;

/**
 * All that a transport knows when it starts a queue.
 *
 * @param notificationFd becomes readable with each available buffer notification, or -1 when the
 *     transport calls {@link DeviceModel#notifyAvailable} instead
 */
public record QueueStart(
        QueueLayout layout, QueuePosition position, int notificationFd, QueueSignals signals) {}
