package org.anyvirt.virtio.device;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.anyvirt.virtio.memory.BusMemory;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.queue.DeviceVirtqueue;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.queue.Virtqueues;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/**
 * The VirtIO operations on one device, as the specification names them. Every transport decodes
 * into these and nothing else.
 *
 * <p>Control plane. One thread, the transport's, calls it, but for {@link #counters}, which any
 * may; what touches a started queue is handed to the queue's runner, so that futures complete on
 * runner threads.
 */
public final class DeviceModel {
    /** What every device gets from the rings (VIRTIO 1.3, 6). */
    public static final Features RING_FEATURES =
            Features.of(
                    FeatureBits.VIRTIO_F_INDIRECT_DESC,
                    FeatureBits.VIRTIO_F_EVENT_IDX,
                    FeatureBits.VIRTIO_F_VERSION_1,
                    FeatureBits.VIRTIO_F_RING_PACKED);

    private final String name;
    private final Device device;
    private final BusMemory memory;
    private final List<Runner> runners;
    private final ActiveQueue[] active;
    private final boolean[] started;
    private Features accepted = Features.NONE;

    /**
     * @param name for logs: which device this is
     * @param runners serve the queues: queue {@code i} belongs to runner {@code i % size}
     */
    public DeviceModel(String name, Device device, BusMemory memory, List<Runner> runners) {
        this.name = name;
        this.device = device;
        this.memory = memory;
        this.runners = List.copyOf(runners);
        this.active = new ActiveQueue[device.virtqueues().size()];
        this.started = new boolean[active.length];
    }

    public Device device() {
        return device;
    }

    /** All that the driver may accept: the device's features and the rings'. */
    public Features offered() {
        return device.offered().or(RING_FEATURES);
    }

    public Features accepted() {
        return accepted;
    }

    /**
     * The driver accepts features. It may come again; started queues keep what they started with.
     */
    public void negotiate(Features features) throws FeatureNegotiationException {
        Features unknown = features.minus(offered());
        if (!unknown.isEmpty()) {
            throw new FeatureNegotiationException(
                    "the driver accepted %s, of which %s was not offered; offered was %s"
                            .formatted(features, unknown, offered()));
        }
        accepted = features;
        device.accepted(features);
    }

    /**
     * Starts a queue with the features accepted so far.
     *
     * @return completes when its runner serves it. When it completes with an exception, because the
     *     notification descriptor cannot wake a runner, the queue is started and must be stopped
     * @throws IllegalArgumentException when the layout is not one that the specification allows
     * @throws UnmappedRangeException when a ring area is not in shared memory
     * @throws IllegalStateException when the queue is started already, or has not yet stopped
     */
    public CompletableFuture<Void> startQueue(int index, QueueStart start)
            throws UnmappedRangeException {
        VirtqueueSpec spec = device.virtqueues().get(index);
        if (active[index] != null && !active[index].whenStopped().isDone()) {
            throw new IllegalStateException(queueName(index) + " is started already");
        }
        if (start.layout().size() > spec.maxSize()) {
            throw new IllegalArgumentException(
                    "%s has at most %d descriptors, not %d"
                            .formatted(queueName(index), spec.maxSize(), start.layout().size()));
        }
        Runner runner = runnerOf(index);
        DeviceVirtqueue queue =
                Virtqueues.create(
                        index, start.layout(), start.position(), accepted, memory, runner::wake);
        QueueHandler handler;
        try {
            handler = device.start(index, queue, accepted);
        } catch (RuntimeException | Error e) {
            queue.close();
            throw e;
        }
        ActiveQueue turn =
                new ActiveQueue(queueName(index), runner, queue, handler, start.signals());
        active[index] = turn;
        started[index] = true;
        return onRunner(index, () -> turn.start(start.notificationFd()));
    }

    /**
     * Stops a queue: takes no more chains, and completes when none is in flight.
     *
     * @return where the device stands in the ring; completes at once with null for a queue that is
     *     not started
     */
    public CompletableFuture<QueuePosition> stopQueue(int index) {
        ActiveQueue turn = active[index];
        if (turn == null || !started[index] && turn.whenStopped().isDone()) {
            return CompletableFuture.completedFuture(null);
        }
        started[index] = false;
        onTurn(index, turn, turn::stop);
        return turn.whenStopped();
    }

    /** Whether the queue was started, and not told to stop since. */
    public boolean isStarted(int index) {
        return started[index];
    }

    /** The driver's available buffer notification, where it comes without a file descriptor. */
    public void notifyAvailable(int index) {
        runnerOf(index).wake();
    }

    /** Changes what wakes a started queue; the old descriptor may be closed on completion. */
    public CompletableFuture<Void> notificationFd(int index, int fd) {
        ActiveQueue turn = active[index];
        return onRunner(
                index,
                () -> {
                    if (turn != null) {
                        turn.notificationFd(fd);
                    }
                });
    }

    /**
     * Runs {@code command} on the thread of the queue's runner, between two turns.
     *
     * @return completes after it, with its exception if it throws one
     */
    public CompletableFuture<Void> onRunner(int index, Runnable command) {
        return CompletableFuture.runAsync(command, runnerOf(index)::execute);
    }

    /**
     * The memory has changed: completes when no queue uses what it was before, be it started or on
     * its way to a stop.
     */
    public CompletableFuture<Void> memoryChanged() {
        List<CompletableFuture<Void>> released = new ArrayList<>();
        for (int index = 0; index < active.length; index++) {
            ActiveQueue turn = active[index];
            if (turn != null && !turn.whenStopped().isDone()) {
                CompletableFuture<Void> one = new CompletableFuture<>();
                released.add(one);
                onTurn(index, turn, () -> turn.rebind(one));
            }
        }
        return CompletableFuture.allOf(released.toArray(CompletableFuture[]::new));
    }

    /** What goes wrong in a queue's command goes wrong in that queue. */
    private void onTurn(int index, ActiveQueue turn, Runnable command) {
        runnerOf(index)
                .execute(() -> {
                    try {
                        command.run();
                    } catch (RuntimeException | Error e) {
                        turn.failed(e);
                    }
                });
    }

    /** Stops every queue and forgets the driver; completes when nothing is in flight. */
    public CompletableFuture<Void> reset() {
        List<CompletableFuture<QueuePosition>> stopping = new ArrayList<>();
        for (int index = 0; index < active.length; index++) {
            stopping.add(stopQueue(index));
        }
        return CompletableFuture.allOf(stopping.toArray(CompletableFuture[]::new))
                .thenRun(() -> {
                    accepted = Features.NONE;
                    device.reset();
                });
    }

    /** The counters of a queue since it started, or null when it is not started. */
    public QueueCounters counters(int index) {
        ActiveQueue turn = active[index];
        return turn != null && started[index] ? turn.counters() : null;
    }

    private Runner runnerOf(int index) {
        return runners.get(index % runners.size());
    }

    private String queueName(int index) {
        return name + " queue " + index;
    }
}
