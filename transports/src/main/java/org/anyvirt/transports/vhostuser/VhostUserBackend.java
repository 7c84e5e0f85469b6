package org.anyvirt.transports.vhostuser;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.anyvirt.linux.UnixSocket;
import org.anyvirt.transports.runner.EpollRunner;
import org.anyvirt.transports.runner.RunnerPool;
import org.anyvirt.virtio.device.Device;
import org.anyvirt.virtio.device.QueueCounters;
import org.anyvirt.virtio.device.Runner;

/**
 * Serves a device to vhost-user frontends, one at a time: after it goes the next is served.
 *
 * <p>Control plane; safe from any thread.
 */
public final class VhostUserBackend implements AutoCloseable {
    private static final Logger LOG = System.getLogger(VhostUserBackend.class.getName());

    /** How long a frontend may take, when this backend closes, to finish a message it has begun. */
    private static final Duration PATIENCE = Duration.ofSeconds(2);

    private final String name;
    private final Device device;
    private final Endpoint endpoint;
    private final BackendOptions options;
    private final CompletableFuture<Void> finished = new CompletableFuture<>();
    private volatile BackendState state = BackendState.NEW;
    private volatile boolean closing;
    private volatile Session session;
    private FrontendSource frontends;
    private RunnerPool runners;
    private Thread thread;

    /**
     * @param name for logs and thread names: which device this is
     * @param device stays the caller's, to close after this backend
     */
    public VhostUserBackend(String name, Device device, Endpoint endpoint, BackendOptions options) {
        this.name = name;
        this.device = device;
        this.endpoint = endpoint;
        this.options = options;
    }

    public String name() {
        return name;
    }

    public Device device() {
        return device;
    }

    public Endpoint endpoint() {
        return endpoint;
    }

    public BackendOptions options() {
        return options;
    }

    /**
     * Makes the socket and starts to serve. An inherited descriptor is this backend's from now on.
     *
     * @throws IOException when the socket cannot be had, with the reason
     */
    public synchronized void start() throws IOException {
        if (state != BackendState.NEW) {
            throw new IllegalStateException(name + " was started already");
        }
        frontends = FrontendSource.open(name, endpoint);
        try {
            runners = new RunnerPool(name, options.runners(), spinNanos());
        } catch (IOException | RuntimeException e) {
            frontends.close();
            throw e;
        }
        state = BackendState.WAITING;
        thread = Thread.ofPlatform().name(name + " vhost-user").daemon(true).start(this::serve);
    }

    public BackendState state() {
        return state;
    }

    /**
     * The counters of each queue since it started, by index; null for one that is not in service.
     * Empty without a frontend.
     */
    public List<QueueCounters> counters() {
        Session current = session;
        return current == null ? List.of() : current.counters();
    }

    /** Completes when no frontend can come any more: closed, or the only connection has ended. */
    public CompletableFuture<Void> finished() {
        return finished;
    }

    /** Waits for what is in flight, lets the frontend go, and removes the socket. */
    @Override
    public synchronized void close() {
        closing = true;
        if (thread == null) {
            state = BackendState.CLOSED;
            finished.complete(null);
            return;
        }
        boolean interrupted = false;
        while (thread.isAlive()) {
            frontends.stop();
            Session current = session;
            if (current != null) {
                current.end();
            }
            try {
                if (!thread.join(PATIENCE) && current != null) {
                    current.cutOff();
                }
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void serve() {
        try (RunnerPool pool = runners;
                FrontendSource source = frontends) {
            List<Runner> threads = pool.runners();
            for (UnixSocket next = source.next(); next != null; next = source.next()) {
                serve(next, threads);
            }
        } catch (IOException e) {
            LOG.log(Level.ERROR, "{0}: no more frontends: {1}", name, e.getMessage());
        } finally {
            state = BackendState.CLOSED;
            finished.complete(null);
        }
    }

    private void serve(UnixSocket socket, List<Runner> threads) {
        state = BackendState.CONNECTED;
        try {
            Session next = new Session(name, device, socket, threads);
            session = next;
            if (closing) {
                next.end();
            }
            next.run();
        } catch (IOException e) {
            LOG.log(Level.WARNING, "{0}: a frontend was not served: {1}", name, e.getMessage());
        } catch (RuntimeException | Error e) {
            LOG.log(Level.ERROR, name + ": a defect of this program, please report it", e);
        } finally {
            session = null;
            state = BackendState.WAITING;
        }
    }

    private long spinNanos() {
        return options.spinMicros() == BackendOptions.ALWAYS_POLL
                ? EpollRunner.ALWAYS_POLL
                : TimeUnit.MICROSECONDS.toNanos(options.spinMicros());
    }
}
