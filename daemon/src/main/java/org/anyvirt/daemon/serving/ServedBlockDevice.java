package org.anyvirt.daemon.serving;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.anyvirt.daemon.configuration.Binding;
import org.anyvirt.daemon.configuration.BlockConfiguration;
import org.anyvirt.daemon.configuration.CacheMode;
import org.anyvirt.daemon.serving.DeviceStatus.QueueStatus;
import org.anyvirt.daemon.serving.DeviceStatus.State;
import org.anyvirt.devices.block.BlockCounters;
import org.anyvirt.devices.block.BlockDevice;
import org.anyvirt.devices.block.BlockStore;
import org.anyvirt.storage.StoreOptions;
import org.anyvirt.transports.vhostuser.BackendOptions;
import org.anyvirt.transports.vhostuser.BackendState;
import org.anyvirt.transports.vhostuser.VhostUserBackend;
import org.anyvirt.virtio.device.QueueCounters;

/** A block device on its store, served to vhost-user frontends. */
public final class ServedBlockDevice implements ServedDevice {
    private final String name;
    private final BlockConfiguration configuration;
    private final BlockStore store;
    private final BlockDevice device;
    private final VhostUserBackend backend;

    private ServedBlockDevice(
            String name,
            BlockConfiguration configuration,
            BlockStore store,
            BlockDevice device,
            VhostUserBackend backend) {
        this.name = name;
        this.configuration = configuration;
        this.store = store;
        this.device = device;
        this.backend = backend;
    }

    /** Opens the store, and then the door. */
    public static ServedBlockDevice start(String name, BlockConfiguration configuration)
            throws IOException {
        StoreOptions options = configuration.store().options();
        BlockStore store = (configuration.readOnly() ? options.asReadOnly() : options).open();
        BlockDevice device =
                new BlockDevice(
                        new BlockDevice.Config(
                                configuration.queues(),
                                configuration.queueSize(),
                                serial(name, configuration),
                                configuration.readOnly(),
                                configuration.cache() == CacheMode.WRITETHROUGH),
                        store);
        try {
            VhostUserBackend backend =
                    switch (configuration.on()) {
                        case Binding.VhostUser(var endpoint) ->
                                new VhostUserBackend(
                                        name,
                                        device,
                                        endpoint,
                                        new BackendOptions(
                                                configuration.runners(),
                                                configuration.poll().spinMicros()));
                    };
            backend.start();
            return new ServedBlockDevice(name, configuration, store, device, backend);
        } catch (IOException | RuntimeException e) {
            device.close();
            throw e;
        }
    }

    /** The guest finds the disk under its name unless told otherwise. */
    private static String serial(String name, BlockConfiguration configuration) {
        return configuration.serial().isEmpty()
                ? name.substring(0, Math.min(name.length(), BlockConfiguration.SERIAL_BYTES_MAX))
                : configuration.serial();
    }

    @Override
    public DeviceStatus status() {
        List<QueueStatus> queues = queues();
        boolean broken = queues.stream().anyMatch(queue -> queue.broken() != null);
        return new DeviceStatus(
                name,
                device.id().label(),
                broken
                        ? State.BROKEN
                        : backend.state() == BackendState.CONNECTED
                                ? State.CONNECTED
                                : State.WAITING,
                configuration.on().toString(),
                store.describe(),
                device.capacity(),
                configuration.readOnly() || store.limits().readOnly(),
                counters(),
                configuration.queues(),
                queues);
    }

    private List<QueueStatus> queues() {
        List<QueueStatus> started = new ArrayList<>();
        List<QueueCounters> all = backend.counters();
        for (int i = 0; i < all.size(); i++) {
            QueueCounters queue = all.get(i);
            if (queue != null) {
                started.add(
                        new QueueStatus(
                                i,
                                queue.completed(),
                                queue.inFlight(),
                                queue.notificationsSent(),
                                queue.notificationsSuppressed(),
                                queue.broken()));
            }
        }
        return started;
    }

    private Map<String, Long> counters() {
        BlockCounters counters = device.counters();
        Map<String, Long> byName = new LinkedHashMap<>();
        byName.put("reads", counters.reads());
        byName.put("read-bytes", counters.readBytes());
        byName.put("writes", counters.writes());
        byName.put("written-bytes", counters.writtenBytes());
        byName.put("flushes", counters.flushes());
        byName.put("discards", counters.discards());
        byName.put("write-zeroes", counters.writeZeroes());
        byName.put("failed", counters.failed());
        byName.put("refused", counters.refused());
        return byName;
    }

    @Override
    public void resize(long capacity) throws IOException, RefusedException {
        try {
            device.resize(capacity);
        } catch (IllegalArgumentException e) {
            throw new RefusedException(e.getMessage());
        }
    }

    @Override
    public CompletableFuture<Void> finished() {
        return backend.finished();
    }

    @Override
    public void close() throws IOException {
        backend.close();
        try {
            device.close();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }
}
