package org.anyvirt.transports.runner;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.Arrays;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.anyvirt.linux.Epoll;
import org.anyvirt.linux.Errno;
import org.anyvirt.linux.ErrnoException;
import org.anyvirt.linux.EventFd;
import org.anyvirt.linux.NativeTransition;
import org.anyvirt.virtio.device.Runner;

/**
 * A runner that polls its turns while there is work, and for a bounded time after, which it tunes
 * itself, then sleeps in epoll.
 *
 * <p>Data plane: one platform thread, which allocates nothing while it serves turns.
 *
 * <h2>Why no wake-up is lost</h2>
 *
 * <p>Every return from {@code epoll_wait} and every {@link #wake} runs every turn at least once
 * before the next sleep, and a turn polls all of its sources. So it suffices that whatever comes
 * after a turn last looked keeps this thread from sleeping, or ends its sleep:
 *
 * <ul>
 *   <li><em>Watched descriptors</em> are edge-triggered and never read. The kernel queues an event
 *       when one is added while readable, and again with every write to an eventfd or completion
 *       posted to an io_uring, whether or not it was readable before; an event stays queued until
 *       {@code epoll_wait} takes it. What was written before a turn looked is found by the turn;
 *       for what is written after, there is an event that this thread has not taken yet. Only kinds
 *       of descriptor whose every write is an edge may be watched so: not pipes, which stop taking
 *       writes when they are full.
 *   <li><em>The driver</em> writes its available ring, then reads whether to notify; {@link
 *       Turn#maySleep} asks for notifications, then reads the ring again. Both have a full fence
 *       between, so one of them sees the other (VIRTIO 1.3, 2.7.10).
 *   <li><em>{@link #wake} and {@link #execute}</em> set {@link #woken}, then read {@link #asleep};
 *       this thread sets {@code asleep}, then reads {@code woken}. Both fields are volatile, so in
 *       the one order of these four accesses either the waker sees {@code asleep} and writes the
 *       eventfd, or this thread sees {@code woken} and does not sleep. {@code woken} is cleared
 *       before turns run, and a command is queued before it is set: what a cleared {@code woken}
 *       stood for is found by the turns and the commands that come after.
 * </ul>
 */
public final class EpollRunner implements Runner, AutoCloseable {
    private static final Logger LOG = System.getLogger(EpollRunner.class.getName());

    /** Long enough for a flash disk's answer, short enough to cost little when none comes. */
    public static final long DEFAULT_SPIN_NANOS = 32_000;

    /** The spin time of a runner that does not sleep while it has turns. */
    public static final long ALWAYS_POLL = Long.MAX_VALUE;

    private static final Turn[] NO_TURNS = {};

    private final String name;
    private final SpinTime spin;
    private final Epoll epoll;
    private final EventFd wakeUp;
    private final Thread thread;
    private final ConcurrentLinkedQueue<Runnable> commands = new ConcurrentLinkedQueue<>();
    private volatile boolean woken;
    private volatile boolean asleep;
    private volatile boolean closing;

    /** Replaced, never changed: a turn may detach itself while the turns are gone through. */
    private Turn[] turns = NO_TURNS;

    /**
     * Starts the thread.
     *
     * @param name the thread's
     * @param spinNanos how long to poll at most after the last work before sleeping
     */
    public EpollRunner(String name, long spinNanos) throws IOException {
        if (spinNanos < 0) {
            throw new IllegalArgumentException("cannot spin for " + spinNanos + " ns");
        }
        this.name = name;
        spin = new SpinTime(spinNanos);
        epoll = new Epoll();
        try {
            wakeUp = new EventFd();
        } catch (IOException e) {
            epoll.close();
            throw e;
        }
        epoll.add(wakeUp.fd().number(), Epoll.EPOLLIN | Epoll.EPOLLET, 0);
        thread = Thread.ofPlatform().name(name).daemon(true).unstarted(this::loop);
        thread.start();
    }

    @Override
    public void execute(Runnable command) {
        if (closing) {
            throw new IllegalStateException(name + " is closed");
        }
        commands.add(command);
        wake();
    }

    @Override
    public void wake() {
        woken = true;
        if (asleep) {
            try {
                wakeUp.signal();
            } catch (ErrnoException e) {
                throw new AssertionError("an eventfd of our own", e);
            }
        }
    }

    @Override
    public void attach(Turn turn) {
        checkThread();
        Turn[] more = Arrays.copyOf(turns, turns.length + 1);
        more[turns.length] = turn;
        turns = more;
        woken = true;
    }

    @Override
    public void detach(Turn turn) {
        checkThread();
        Turn[] fewer = Arrays.stream(turns).filter(one -> one != turn).toArray(Turn[]::new);
        turns = fewer;
        woken = true;
    }

    @Override
    public void watch(int fd) {
        checkThread();
        try {
            epoll.add(fd, Epoll.EPOLLIN | Epoll.EPOLLET, fd);
        } catch (ErrnoException e) {
            throw new UncheckedIOException("descriptor " + fd + " cannot wake " + name, e);
        }
    }

    @Override
    public void unwatch(int fd) {
        checkThread();
        try {
            epoll.remove(fd);
        } catch (ErrnoException e) {
            // It was never watched: epoll had refused it.
            if (e.errno() != Errno.ENOENT && e.errno() != Errno.EPERM) {
                throw new AssertionError("descriptor " + fd + " was closed while watched", e);
            }
        }
    }

    /** Ends the thread after the commands that it has; turns still attached get no more turns. */
    @Override
    public void close() {
        if (Thread.currentThread() == thread) {
            throw new IllegalStateException(name + " cannot wait for itself");
        }
        closing = true;
        wake();
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        epoll.close();
        wakeUp.close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public String toString() {
        return name;
    }

    private void loop() {
        boolean idle = false;
        long idleSinceNanos = 0;
        while (true) {
            if (woken) {
                woken = false;
                idle = false;
                runCommands();
            }
            if (closing && commands.isEmpty()) {
                return;
            }
            if (runTurns() > 0) {
                if (idle) {
                    idle = false;
                    spin.idleFor(System.nanoTime() - idleSinceNanos);
                }
                continue;
            }
            long now = System.nanoTime();
            if (!idle) {
                idle = true;
                idleSinceNanos = now;
            }
            if (turns.length == 0 || now - idleSinceNanos >= spin.nanos()) {
                sleep();
            } else {
                Thread.onSpinWait();
            }
        }
    }

    private int runTurns() {
        Turn[] current = turns;
        int work = 0;
        for (int i = 0; i < current.length; i++) {
            work += runOne(current[i]);
        }
        return work;
    }

    private int runOne(Turn turn) {
        try {
            int work = turn.run();
            NativeTransition.cross();
            return work;
        } catch (Throwable e) {
            fail(turn, e);
            return 0;
        }
    }

    private void sleep() {
        asleep = true;
        if (!woken && !closing && allMaySleep()) {
            try {
                epoll.await(-1);
            } catch (ErrnoException e) {
                throw new AssertionError("an epoll of our own", e);
            }
        }
        asleep = false;
    }

    private boolean allMaySleep() {
        Turn[] current = turns;
        boolean may = true;
        for (int i = 0; i < current.length; i++) {
            may &= maySleep(current[i]);
        }
        return may;
    }

    private boolean maySleep(Turn turn) {
        try {
            boolean may = turn.maySleep();
            NativeTransition.cross();
            return may;
        } catch (Throwable e) {
            fail(turn, e);
            return false;
        }
    }

    private void runCommands() {
        for (Runnable next = commands.poll(); next != null; next = commands.poll()) {
            try {
                next.run();
                NativeTransition.cross();
            } catch (Throwable e) {
                LOG.log(Level.ERROR, name + ": a command failed", e);
            }
        }
    }

    private void fail(Turn turn, Throwable error) {
        try {
            turn.failed(error);
            NativeTransition.cross();
        } catch (Throwable e) {
            LOG.log(Level.ERROR, name + ": a turn failed, and failed to say so; it is over", e);
            detach(turn);
        }
    }

    private void checkThread() {
        if (Thread.currentThread() != thread) {
            throw new IllegalStateException("only on the thread of " + name);
        }
    }
}
