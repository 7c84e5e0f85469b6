package org.anyvirt.virtio.device;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.CompletableFuture;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.queue.DeviceVirtqueue;
import org.anyvirt.virtio.queue.MalformedChainException;
import org.anyvirt.virtio.queue.QueuePosition;

/**
 * A started queue with its handler, served by one runner: the device's turn and what goes on around
 * it.
 *
 * <p>Data plane. Every method but {@link #counters} is called on the runner's thread.
 */
final class ActiveQueue implements Runner.Turn {
    private static final Logger LOG = System.getLogger(ActiveQueue.class.getName());

    /**
     * Chains a turn, so that queues that share a runner wait for at most so many of a neighbour.
     */
    private static final int BUDGET = 128;

    private final String name;
    private final Runner runner;
    private final DeviceVirtqueue queue;
    private final QueueHandler handler;
    private final QueueSignals signals;
    private int notificationFd;
    private boolean armed;
    private boolean memoryLost;
    private CompletableFuture<QueuePosition> stopping;
    private boolean stopped;
    private QueuePosition lastPosition;

    // Written by the runner alone; read by others without order: counters need none.
    private long completed;
    private long notificationsSent;
    private long notificationsSuppressed;
    private volatile String broken;

    ActiveQueue(
            String name,
            Runner runner,
            DeviceVirtqueue queue,
            QueueHandler handler,
            QueueSignals signals) {
        this.name = name;
        this.runner = runner;
        this.queue = queue;
        this.handler = handler;
        this.signals = signals;
    }

    void start(int firstNotificationFd) {
        notificationFd = firstNotificationFd;
        runner.attach(this);
        if (handler.wakeFd() >= 0) {
            runner.watch(handler.wakeFd());
        }
        if (notificationFd >= 0) {
            runner.watch(notificationFd);
        }
    }

    void notificationFd(int next) {
        if (stopped) {
            return;
        }
        if (notificationFd >= 0) {
            runner.unwatch(notificationFd);
        }
        notificationFd = next;
        if (next >= 0) {
            runner.watch(next);
        }
    }

    @Override
    public int run() {
        if (armed) {
            armed = false;
            if (broken == null) {
                queue.disarm();
            }
        }
        int work = memoryLost ? 0 : turn();
        if (stopping != null && (memoryLost || queue.inFlight() == 0)) {
            finish();
        }
        return work;
    }

    private int turn() {
        int before = queue.inFlight();
        int work = queue.reapHandedOver();
        try {
            work += handler.poll(BUDGET);
        } catch (MalformedChainException e) {
            fail(e.getMessage());
        }
        if (work > 0 || before != queue.inFlight()) {
            completed += work;
            if (queue.flush()) {
                notificationsSent++;
                signals.usedBuffers();
            } else {
                notificationsSuppressed++;
            }
        }
        return work;
    }

    @Override
    public boolean maySleep() {
        if (broken != null || stopping != null) {
            return true;
        }
        armed = true;
        return !queue.arm();
    }

    @Override
    public void failed(Throwable error) {
        if (memoryLost) {
            return;
        }
        memoryLost = true;
        fail(
                error instanceof InternalError
                        ? "its memory was taken away by the peer that shared it: " + error
                        : "unexpected " + error);
        if (!(error instanceof InternalError)) {
            LOG.log(Level.ERROR, name + ": a defect of this program, please report it", error);
        }
    }

    private void fail(String reason) {
        if (broken != null) {
            return;
        }
        broken = reason;
        LOG.log(Level.WARNING, "{0}: {1}; broken until reset", name, reason);
        handler.cancel();
        signals.broken(reason);
    }

    /** Takes no more chains; the future completes when none is in flight. */
    void stop(CompletableFuture<QueuePosition> whenStopped) {
        if (stopped) {
            whenStopped.complete(lastPosition);
            return;
        }
        stopping = whenStopped;
        handler.cancel();
        runner.wake();
    }

    void rebind(CompletableFuture<Void> released) {
        if (memoryLost) {
            // Its chains are reaped no more, but what they started may still use the memory.
            release();
        }
        if (lastPosition != null) {
            released.complete(null);
            return;
        }
        try {
            queue.rebind(() -> released.complete(null));
        } catch (UnmappedRangeException e) {
            fail("its ring is gone with the memory: " + e.getMessage());
            memoryLost = true;
            release();
            released.complete(null);
        }
    }

    private void finish() {
        stopped = true;
        runner.detach(this);
        if (notificationFd >= 0) {
            runner.unwatch(notificationFd);
        }
        try {
            release();
            stopping.complete(lastPosition);
        } catch (RuntimeException | Error e) {
            stopping.completeExceptionally(e);
            throw e;
        }
    }

    /** Ends all use of the driver's memory. */
    private void release() {
        if (lastPosition != null) {
            return;
        }
        lastPosition = queue.position();
        if (handler.wakeFd() >= 0) {
            runner.unwatch(handler.wakeFd());
        }
        try {
            handler.close();
        } finally {
            queue.close();
        }
    }

    QueueCounters counters() {
        return new QueueCounters(
                completed, queue.inFlight(), notificationsSent, notificationsSuppressed, broken);
    }
}
