package org.anyvirt.transports.vhostuser;

import static org.anyvirt.transports.vhostuser.message.ProtocolFeature.*;

import java.io.UncheckedIOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.anyvirt.linux.NativeTransition;
import org.anyvirt.transports.vhostuser.message.Payload.VringAddress;
import org.anyvirt.transports.vhostuser.message.ProtocolFeature;
import org.anyvirt.virtio.device.ConfigSpace;
import org.anyvirt.virtio.device.Device;
import org.anyvirt.virtio.device.DeviceModel;
import org.anyvirt.virtio.device.FeatureNegotiationException;
import org.anyvirt.virtio.device.QueueCounters;
import org.anyvirt.virtio.device.QueueStart;
import org.anyvirt.virtio.device.Runner;
import org.anyvirt.virtio.memory.Access;
import org.anyvirt.virtio.memory.PremappedMemory;
import org.anyvirt.virtio.memory.RegionTable;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.queue.QueueLayout;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/**
 * A device as one frontend's messages configure it: features, memory, rings, status.
 *
 * <p>Control plane: the session's thread. It waits for the runners where a message has effect on
 * them.
 */
final class VhostDevice implements AutoCloseable {
    private static final Logger LOG = System.getLogger(VhostDevice.class.getName());

    /** What this backend speaks of the protocol. */
    static final long PROTOCOL_FEATURES =
            ProtocolFeature.setOf(
                    VHOST_USER_PROTOCOL_F_MQ,
                    VHOST_USER_PROTOCOL_F_REPLY_ACK,
                    VHOST_USER_PROTOCOL_F_BACKEND_REQ,
                    VHOST_USER_PROTOCOL_F_CONFIG,
                    VHOST_USER_PROTOCOL_F_RESET_DEVICE,
                    VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS,
                    VHOST_USER_PROTOCOL_F_STATUS);

    private static final int PATIENCE_MILLIS = 500;

    /** The used ring's index, after its flags (VIRTIO 1.3, 2.7.8). */
    private static final int USED_INDEX_OFFSET = 2;

    private final String name;
    private final Device device;
    private final DeviceModel model;
    private final PremappedMemory memory = new PremappedMemory(RegionTable.EMPTY);
    private final MemoryTable memoryTable = new MemoryTable(memory);
    private final List<Vring> vrings = new ArrayList<>();
    private final StatusRegister status = new StatusRegister();
    private final Runnable onNeedsReset;
    private volatile long protocolFeatures;

    /**
     * @param onNeedsReset called on any thread when a queue broke
     */
    VhostDevice(String name, Device device, List<Runner> runners, Runnable onNeedsReset) {
        this.name = name;
        this.device = device;
        this.model = new DeviceModel(name, device, memory, runners);
        this.onNeedsReset = onNeedsReset;
        for (int i = 0; i < device.virtqueues().size(); i++) {
            vrings.add(new Vring(i, this, runners.get(i % runners.size())));
        }
    }

    DeviceModel model() {
        return model;
    }

    ConfigSpace config() {
        return device.config();
    }

    int vringCount() {
        return vrings.size();
    }

    Vring vring(long index) throws RefusedException {
        if (index < 0 || index >= vrings.size()) {
            throw new RefusedException(
                    "vring %s, of %d"
                            .formatted(Integer.toUnsignedString((int) index), vrings.size()));
        }
        return vrings.get((int) index);
    }

    MemoryTable memoryTable() {
        return memoryTable;
    }

    StatusRegister status() {
        return status;
    }

    long protocolFeatures() {
        return protocolFeatures;
    }

    void protocolFeatures(long accepted) throws RefusedException {
        long unknown = accepted & ~PROTOCOL_FEATURES;
        if (unknown != 0) {
            throw new RefusedException(
                    "protocol features %s, of which %s were not offered"
                            .formatted(
                                    ProtocolFeature.describe(accepted),
                                    ProtocolFeature.describe(unknown)));
        }
        protocolFeatures = accepted;
        updateVrings();
    }

    /**
     * What {@code GET_FEATURES} says. Addresses behind an IOMMU would have to be asked for by IOTLB
     * messages, so a device that could take them (VIRTIO_F_ACCESS_PLATFORM) is not offered as such;
     * and bits above 63 do not fit into the message.
     */
    Features offered() {
        return new Features(model.offered().low(), 0)
                .without(FeatureBits.VIRTIO_F_ACCESS_PLATFORM)
                .with(VHOST_USER_F_PROTOCOL_FEATURES);
    }

    /** {@code SET_FEATURES}. */
    void features(long bits) throws RefusedException {
        Features all = new Features(bits, 0);
        Features unknown = all.minus(offered());
        if (!unknown.isEmpty()) {
            throw new RefusedException(
                    "features %s, of which %s were not offered".formatted(all, unknown));
        }
        Features accepted = all.without(VHOST_USER_F_PROTOCOL_FEATURES);
        if (!accepted.equals(model.accepted())) {
            for (int i = 0; i < vrings.size(); i++) {
                if (model.isStarted(i)) {
                    throw new RefusedException(
                            "features %s, while vring %d is started with %s"
                                    .formatted(accepted, i, model.accepted()));
                }
            }
        }
        try {
            model.negotiate(accepted);
        } catch (FeatureNegotiationException e) {
            throw new RefusedException(e.getMessage(), e);
        }
        if (!all.has(VHOST_USER_F_PROTOCOL_FEATURES)) {
            for (Vring vring : vrings) {
                vring.enable(true);
            }
        }
        updateVrings();
    }

    boolean packed() {
        return model.accepted().has(FeatureBits.VIRTIO_F_RING_PACKED);
    }

    int sizeMax(int index) {
        return device.virtqueues().get(index).maxSize();
    }

    /** Whether there is memory, and the driver is set up as far as it can say so. */
    boolean isLive() {
        return !memoryTable.isEmpty() && driverOk();
    }

    private boolean driverOk() {
        return !VHOST_USER_PROTOCOL_F_STATUS.in(protocolFeatures) || status.driverOk();
    }

    /** Whether any queue is in service; otherwise the device is suspended. */
    boolean isServing() {
        for (int i = 0; i < vrings.size(); i++) {
            if (model.isStarted(i)) {
                return true;
            }
        }
        return false;
    }

    /**
     * {@code SET_STATUS}. A frontend writes 0 also when the guest is merely paused, and does not
     * restore what the driver had configured; so 0 resets the rings and not the device. There is
     * {@code RESET_DEVICE} for that.
     */
    void status(long next) throws RefusedException {
        if (next == 0) {
            resetVrings();
        } else {
            status.set(next);
            updateVrings();
        }
    }

    /** From any thread: a queue is broken. */
    void needsReset() {
        status.needsReset();
        onNeedsReset.run();
    }

    /** {@code RESET_DEVICE}: back to the state before the driver came; memory stays. */
    void reset() throws RefusedException {
        resetVrings();
        await(model.reset());
    }

    private void resetVrings() throws RefusedException {
        RefusedException failed = null;
        for (Vring vring : vrings) {
            try {
                vring.reset();
            } catch (RefusedException e) {
                failed = e;
            }
        }
        status.reset();
        if (failed != null) {
            throw failed;
        }
    }

    /** {@code RESET_OWNER}, of which the specification recommends no more than this. */
    void disableVrings() throws RefusedException {
        for (Vring vring : vrings) {
            vring.enable(false);
        }
    }

    private void updateVrings() throws RefusedException {
        for (Vring vring : vrings) {
            vring.update();
        }
    }

    /** The memory has changed: unmaps what was replaced when no queue uses it any more. */
    void memoryChanged(MemoryTable.Replaced replaced) throws RefusedException {
        await(model.memoryChanged());
        replaced.close();
        updateVrings();
    }

    /** There is more memory; what there was has not moved. */
    void memoryAdded() throws RefusedException {
        updateVrings();
    }

    /** Refuses addresses that are nowhere, if there is memory yet to look in. */
    void checkAddresses(int index, VringAddress address) throws RefusedException {
        if (!memoryTable.isEmpty()) {
            layout(index, 1, address);
        }
    }

    private QueueLayout layout(int index, int size, VringAddress address) throws RefusedException {
        try {
            return new QueueLayout(
                    size,
                    memoryTable.busAddress(address.descriptor()),
                    memoryTable.busAddress(address.available()),
                    memoryTable.busAddress(address.used()));
        } catch (RefusedException e) {
            throw new RefusedException("vring %d: %s".formatted(index, e.getMessage()), e);
        }
    }

    /** All that starts a queue. */
    QueueStart queueStart(
            int index, int size, VringAddress address, int base, int kick, Vring signals)
            throws RefusedException {
        QueueLayout layout = layout(index, size, address);
        return new QueueStart(layout, position(index, base, layout), kick, signals);
    }

    /** Starts a queue, or says why it cannot be. */
    void start(int index, QueueStart start) throws RefusedException {
        try {
            CompletableFuture<Void> started = model.startQueue(index, start);
            NativeTransition.cross();
            await(started);
        } catch (UnmappedRangeException | IllegalArgumentException | UncheckedIOException e) {
            throw new RefusedException("vring %d: %s".formatted(index, e.getMessage()), e);
        } catch (InternalError e) {
            throw memoryGone(index, e);
        }
    }

    /**
     * The position that a base stands for. For a split ring it says where to take; where to put is
     * read from the used ring, which only the device writes.
     */
    private QueuePosition position(int index, int base, QueueLayout layout)
            throws RefusedException {
        if (packed()) {
            return new QueuePosition(base & 0xffff, base >>> 16);
        }
        try {
            MemorySegment used =
                    memory.ringArea(
                            layout.deviceArea() + USED_INDEX_OFFSET,
                            Short.BYTES,
                            Access.DEVICE_READABLE);
            int usedIndex = used.get(ValueLayout.JAVA_SHORT_UNALIGNED, 0) & 0xffff;
            NativeTransition.cross();
            return new QueuePosition(base & 0xffff, usedIndex);
        } catch (UnmappedRangeException e) {
            throw new RefusedException("vring %d: %s".formatted(index, e.getMessage()), e);
        } catch (InternalError e) {
            throw memoryGone(index, e);
        }
    }

    /** What the frontend truncated is found to be missing. */
    private static RefusedException memoryGone(int index, InternalError fault) {
        return new RefusedException(
                "vring %d: its memory is gone: %s".formatted(index, fault.getMessage()), fault);
    }

    /** The base that a position is. */
    int base(QueuePosition position) {
        return packed()
                ? position.available() & 0xffff | position.used() << 16
                : position.available() & 0xffff;
    }

    /** Waits for runners. */
    <T> T await(CompletableFuture<T> future) throws RefusedException {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return future.get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
                } catch (TimeoutException e) {
                    // Slow storage, or a runner held by a frontend that filled its call eventfd.
                    vrings.forEach(Vring::unblock);
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (ExecutionException e) {
                    Throwable cause = e.getCause();
                    throw new RefusedException(String.valueOf(cause.getMessage()), cause);
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** The counters of each queue, by index; null for one that is not in service. */
    List<QueueCounters> counters() {
        List<QueueCounters> counters = new ArrayList<>();
        for (int i = 0; i < vrings.size(); i++) {
            counters.add(model.counters(i));
        }
        return counters;
    }

    /** The frontend has gone: waits for what is in flight, then gives everything back. */
    @Override
    public void close() {
        try {
            reset();
            memoryTable.close();
        } catch (RefusedException e) {
            // Something may still use it, so it cannot be given back.
            LOG.log(Level.ERROR, name + ": the frontend's memory stays mapped", e);
        }
        vrings.forEach(Vring::close);
    }
}
