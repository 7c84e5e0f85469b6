package org.anyvirt.daemon.serving;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.anyvirt.daemon.configuration.BlockConfiguration;

/** A served device that serves nobody. */
public final class FakeDevice implements ServedDevice {
    private final String name;
    private final BlockConfiguration configuration;
    private final CompletableFuture<Void> finished = new CompletableFuture<>();
    private final CountDownLatch mayClose = new CountDownLatch(1);
    private volatile long capacity = 1 << 20;
    private volatile boolean closed;

    private FakeDevice(String name, BlockConfiguration configuration) {
        this.name = name;
        this.configuration = configuration;
    }

    /** One that closes at once; except that {@code stuck} closes when told to. */
    public static FakeDevice start(String name, BlockConfiguration configuration)
            throws IOException {
        if (name.equals("impossible")) {
            throw new IOException("no such store");
        }
        FakeDevice device = new FakeDevice(name, configuration);
        if (!name.equals("stuck")) {
            device.mayClose();
        }
        return device;
    }

    public void mayClose() {
        mayClose.countDown();
    }

    public boolean isClosed() {
        return closed;
    }

    @Override
    public DeviceStatus status() {
        return new DeviceStatus(
                name,
                "block",
                DeviceStatus.State.WAITING,
                configuration.on().toString(),
                configuration.store().toString(),
                capacity,
                configuration.readOnly(),
                Map.of("reads", 7L),
                configuration.queues(),
                List.of(new DeviceStatus.QueueStatus(0, 10, 2, 3, 4, null)));
    }

    @Override
    public void resize(long bytes) throws IOException, RefusedException {
        if (bytes > 1L << 40) {
            throw new RefusedException("that is too large");
        }
        capacity = bytes;
    }

    @Override
    public CompletableFuture<Void> finished() {
        return finished;
    }

    @Override
    public void close() throws IOException {
        try {
            mayClose.await();
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
        closed = true;
        finished.complete(null);
        if (name.equals("lossy")) {
            throw new IOException("fsync: EIO");
        }
    }
}
