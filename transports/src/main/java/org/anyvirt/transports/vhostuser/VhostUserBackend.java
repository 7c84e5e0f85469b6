package org.anyvirt.transports.vhostuser;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.anyvirt.virtio.device.Device;
import org.anyvirt.virtio.device.QueueCounters;

/**
 * Serves a device to vhost-user frontends, one at a time: after it goes the next is served.
 *
 * <p>Control plane; safe from any thread.
 */
public final class VhostUserBackend implements AutoCloseable {
    private final String name;
    private final Device device;
    private final Endpoint endpoint;
    private final BackendOptions options;
    private final CompletableFuture<Void> finished = new CompletableFuture<>();

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
     * Makes the socket and starts to serve.
     *
     * @throws IOException when the socket cannot be had, with the reason
     */
    public void start() throws IOException {
        throw new IOException("not yet");
    }

    public BackendState state() {
        return BackendState.NEW;
    }

    /** The counters of each queue since it started, by index; null for one that is not started. */
    public List<QueueCounters> counters() {
        return List.of();
    }

    /** Completes when no frontend can come any more: closed, or the only connection has ended. */
    public CompletableFuture<Void> finished() {
        return finished;
    }

    /** Waits for what is in flight, lets the frontend go, and removes the socket. */
    @Override
    public void close() {
        finished.complete(null);
    }
}
