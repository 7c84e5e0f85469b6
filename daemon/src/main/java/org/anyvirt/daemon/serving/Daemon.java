package org.anyvirt.daemon.serving;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.anyvirt.daemon.configuration.BlockConfiguration;
import org.anyvirt.daemon.configuration.Configuration;
import org.anyvirt.daemon.configuration.InvalidValueException;

/**
 * The devices that this process serves, by name.
 *
 * <p>Safe from any thread. What changes a device waits for what changes another; what only looks
 * never waits.
 */
public final class Daemon implements AutoCloseable {
    private static final Logger LOG = System.getLogger(Daemon.class.getName());

    /** How a device begins to be served. */
    @FunctionalInterface
    public interface Starter {
        ServedDevice start(String name, BlockConfiguration configuration)
                throws IOException, RefusedException;
    }

    private final Starter starter;
    private final CountDownLatch shutdownRequested = new CountDownLatch(1);
    private final Object changing = new Object();
    private boolean closed; // guarded by changing

    /** Replaced as a whole, under {@link #changing}. */
    private volatile Map<String, ServedDevice> devices = new LinkedHashMap<>();

    public Daemon(Starter starter) {
        this.starter = starter;
    }

    public void add(String name, BlockConfiguration configuration)
            throws IOException, RefusedException {
        try {
            Configuration.checkName(name);
        } catch (InvalidValueException e) {
            throw new RefusedException(e.getMessage());
        }
        synchronized (changing) {
            if (closed) {
                throw new RefusedException("the daemon is shutting down");
            }
            if (devices.containsKey(name)) {
                throw new RefusedException("there is a device '%s' already".formatted(name));
            }
            ServedDevice device = starter.start(name, configuration);
            Map<String, ServedDevice> next = new LinkedHashMap<>(devices);
            next.put(name, device);
            devices = next;
        }
        LOG.log(Level.INFO, "{0}: {1} on {2}", name, configuration.store(), configuration.on());
    }

    public void remove(String name) throws IOException, RefusedException {
        synchronized (changing) {
            ServedDevice device = find(name);
            Map<String, ServedDevice> next = new LinkedHashMap<>(devices);
            next.remove(name);
            devices = next;
            device.close();
        }
        LOG.log(Level.INFO, "{0}: removed", name);
    }

    /**
     * @param capacity in bytes
     */
    public void resize(String name, long capacity) throws IOException, RefusedException {
        synchronized (changing) {
            find(name).resize(capacity);
        }
        LOG.log(Level.INFO, "{0}: resized to {1} bytes", name, Long.toString(capacity));
    }

    public List<DeviceStatus> list() {
        return devices.values().stream().map(ServedDevice::status).toList();
    }

    public DeviceStatus show(String name) throws RefusedException {
        return find(name).status();
    }

    /** Completes when no driver can come to the device any more. */
    public CompletableFuture<Void> finished(String name) throws RefusedException {
        return find(name).finished();
    }

    /** Makes {@link #awaitShutdown} return. */
    public void requestShutdown() {
        shutdownRequested.countDown();
    }

    public void awaitShutdown() throws InterruptedException {
        shutdownRequested.await();
    }

    /** Closes every device, all at once. */
    @Override
    public void close() throws IOException {
        try {
            close(Long.MAX_VALUE);
        } catch (TimeoutException e) {
            throw new AssertionError(e);
        }
    }

    /**
     * Closes every device, all at once.
     *
     * @throws IOException what the first of those that failed says
     * @throws TimeoutException some are not closed after all this time; the message names them
     */
    public void close(long timeoutMillis) throws IOException, TimeoutException {
        Map<String, ServedDevice> closing;
        synchronized (changing) {
            closed = true;
            closing = devices;
            devices = Map.of();
        }
        requestShutdown();
        Map<String, CompletableFuture<Void>> ends = new LinkedHashMap<>();
        closing.forEach((name, device) -> ends.put(name, closeInBackground(name, device)));
        try {
            CompletableFuture.allOf(ends.values().toArray(CompletableFuture[]::new))
                    .get(timeoutMillis, TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException cause ? cause : new IOException(e.getCause());
        } catch (TimeoutException e) {
            ends.values().removeIf(CompletableFuture::isDone);
            throw new TimeoutException("not closed in time: " + String.join(", ", ends.keySet()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while closing", e);
        }
    }

    private static CompletableFuture<Void> closeInBackground(String name, ServedDevice device) {
        CompletableFuture<Void> end = new CompletableFuture<>();
        Thread.ofPlatform()
                .daemon()
                .name("close " + name)
                .start(() -> {
                    try {
                        device.close();
                        end.complete(null);
                    } catch (IOException | RuntimeException | Error e) {
                        end.completeExceptionally(new IOException(name + ": " + e.getMessage(), e));
                    }
                });
        return end;
    }

    private ServedDevice find(String name) throws RefusedException {
        Map<String, ServedDevice> now = devices;
        ServedDevice device = now.get(name);
        if (device == null) {
            throw new RefusedException(
                    now.isEmpty()
                            ? "there is no device '%s', nor any".formatted(name)
                            : "there is no device '%s': there is %s"
                                    .formatted(name, String.join(", ", now.keySet())));
        }
        return device;
    }
}
