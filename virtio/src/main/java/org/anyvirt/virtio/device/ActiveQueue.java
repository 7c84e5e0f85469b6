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
 * <p>Data plane. Every method but {@link #whenStopped} and {@link #counters} is called on the
 * runner's thread.
 *
 * <p>A queue that the driver broke goes on with what is in flight. One that failed, for its memory
 * is gone or by a defect, is quiet: nothing of it touches the memory any more, and nothing that was
 * in flight completes.
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
    private final CompletableFuture<QueuePosition> whenStopped = new CompletableFuture<>();
    private int notificationFd;
    private boolean armed;
    private boolean stopping;
    private boolean quiet;

    // Written by the runner alone; read by others without order: counters need none.
    private long usedBuffers;
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
        runner.attach(this);
        if (handler.wakeFd() >= 0) {
            runner.watch(handler.wakeFd());
        }
        notificationFd = firstNotificationFd;
        if (notificationFd >= 0) {
            runner.watch(notificationFd);
        }
    }

    void notificationFd(int next) {
        if (whenStopped.isDone()) {
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
        int work = quiet ? 0 : turn();
        if (stopping && queue.inFlight() == 0) {
            finish();
        }
        return work;
    }

    private int turn() {
        if (armed) {
            armed = false;
            queue.disarm();
        }
        int work = queue.reapHandedOver();
        try {
            work += handler.poll(BUDGET);
        } catch (MalformedChainException e) {
            fail(e.getMessage());
        }
        boolean notify = queue.flush();
        if (queue.usedBuffers() != usedBuffers) {
            usedBuffers = queue.usedBuffers();
            if (notify) {
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
        if (broken != null || stopping) {
            return true;
        }
        armed = true;
        return !queue.arm();
    }

    @Override
    public void failed(Throwable error) {
        if (quiet) {
            return;
        }
        boolean memoryGone = error instanceof InternalError;
        if (!memoryGone) {
            LOG.log(Level.ERROR, name + ": a defect of this program, please report it", error);
        }
        try {
            fail(
                    memoryGone
                            ? "its memory was taken away by the peer that shared it: " + error
                            : "unexpected " + error);
        } finally {
            quiesce();
            if (stopping) {
                finish();
            }
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

    /** Takes no more chains; {@link #whenStopped} completes when none is in flight. */
    void stop() {
        if (stopping) {
            return;
        }
        stopping = true;
        if (quiet) {
            finish();
            return;
        }
        if (broken == null) {
            handler.cancel();
        }
        runner.wake();
    }

    /** From any thread: where the queue stood when it had stopped. */
    CompletableFuture<QueuePosition> whenStopped() {
        return whenStopped;
    }

    /** The memory has changed; {@code released} completes when what it was is in use no more. */
    void rebind(CompletableFuture<Void> released) {
        if (quiet) {
            released.complete(null);
            return;
        }
        try {
            queue.rebind(() -> released.complete(null));
        } catch (UnmappedRangeException e) {
            fail("its ring is gone with the memory: " + e.getMessage());
        }
    }

    private void finish() {
        if (whenStopped.isDone()) {
            return;
        }
        try {
            runner.detach(this);
            if (notificationFd >= 0) {
                runner.unwatch(notificationFd);
            }
            quiesce();
        } finally {
            whenStopped.complete(queue.position());
        }
    }

    /** Ends all use of the memory. Waits for what the handler has under way. */
    private void quiesce() {
        if (quiet) {
            return;
        }
        quiet = true;
        try {
            if (handler.wakeFd() >= 0) {
                runner.unwatch(handler.wakeFd());
            }
            handler.close();
        } finally {
            queue.close();
        }
    }

    QueueCounters counters() {
        return new QueueCounters(
                usedBuffers, queue.inFlight(), notificationsSent, notificationsSuppressed, broken);
    }
}
