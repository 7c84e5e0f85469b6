package org.anyvirt.driver.vhostuser;

import static org.anyvirt.transports.vhostuser.message.ProtocolFeature.*;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.anyvirt.driver.device.RemoteDevice;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.queue.DriverQueue;
import org.anyvirt.driver.queue.QueueNotifications;
import org.anyvirt.linux.Fd;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.ProtocolFeature;
import org.anyvirt.transports.vhostuser.message.RegionDescription;
import org.anyvirt.virtio.queue.QueueLayout;
import org.anyvirt.virtio.queue.QueuePosition;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/**
 * A device behind a vhost-user backend, set up as a virtual machine monitor does for its guest.
 * Control plane.
 */
public final class VhostUserDevice implements RemoteDevice {
    private static final Logger LOG = System.getLogger(VhostUserDevice.class.getName());

    /** A backend that hangs is left behind. */
    private static final int CLOSE_TIMEOUT_MILLIS = 5000;

    private static final int ACKNOWLEDGE = 1;
    private static final int DRIVER = 2;
    private static final int DRIVER_OK = 4;
    private static final int FEATURES_OK = 8;

    private final VhostUserFrontend frontend;
    private final GuestMemory memory;
    private final VhostUserOptions options;
    private final SortedMap<Integer, Vring> vrings = new TreeMap<>();
    private final List<Runnable> configListeners = new CopyOnWriteArrayList<>();
    private Features offered = Features.NONE;
    private Features accepted = Features.NONE;
    private BackendChannel backendChannel;
    private boolean protocolFeatures;
    private int queuesMax = 1;

    private VhostUserDevice(
            VhostUserFrontend frontend, GuestMemory memory, VhostUserOptions options) {
        this.frontend = frontend;
        this.memory = memory;
        this.options = options;
    }

    /** Connects to the backend that listens at {@code path}; see {@link #open}. */
    public static VhostUserDevice connect(Path path, GuestMemory memory, VhostUserOptions options)
            throws IOException {
        try {
            return open(VhostUserFrontend.connect(path), memory, options);
        } catch (IOException | RuntimeException e) {
            memory.close();
            throw e;
        }
    }

    /**
     * Asks the backend what it is, and agrees on protocol features.
     *
     * @param frontend nothing sent yet; closed with the device, and also when this fails
     * @param memory what to share; closed likewise
     */
    public static VhostUserDevice open(
            VhostUserFrontend frontend, GuestMemory memory, VhostUserOptions options)
            throws IOException {
        VhostUserDevice device = new VhostUserDevice(frontend, memory, options);
        try {
            device.open();
        } catch (IOException | RuntimeException e) {
            device.close();
            throw e;
        }
        return device;
    }

    private void open() throws IOException {
        frontend.setOwner();
        long features = frontend.getFeatures();
        offered =
                new Features(features, 0)
                        .without(ProtocolFeature.VHOST_USER_F_PROTOCOL_FEATURES)
                        .without(ProtocolFeature.VHOST_F_LOG_ALL);
        protocolFeatures =
                new Features(features, 0).has(ProtocolFeature.VHOST_USER_F_PROTOCOL_FEATURES);
        if (!protocolFeatures) {
            return;
        }
        frontend.setProtocolFeatures(frontend.getProtocolFeatures() & options.wanted());
        if (has(VHOST_USER_PROTOCOL_F_MQ)) {
            queuesMax = Math.toIntExact(frontend.getQueueNum());
        }
        if (has(VHOST_USER_PROTOCOL_F_BACKEND_REQ)) {
            backendChannel = new BackendChannel(this::configChanged);
            frontend.setBackendReqFd(backendChannel.backendEnd().fd());
            backendChannel.backendEnd().close();
        }
    }

    private boolean has(ProtocolFeature feature) {
        return feature.in(frontend.protocolFeatures());
    }

    private void configChanged() {
        configListeners.forEach(Runnable::run);
    }

    /** The protocol below, for what no frontend should do. */
    public VhostUserFrontend frontend() {
        return frontend;
    }

    @Override
    public Features offered() {
        return offered;
    }

    @Override
    public void accept(Features features) throws IOException {
        if (!features.minus(offered).isEmpty()) {
            throw new IllegalArgumentException(
                    "%s was not offered; offered is %s"
                            .formatted(features.minus(offered), offered));
        }
        accepted = features;
        boolean status = has(VHOST_USER_PROTOCOL_F_STATUS);
        if (status) {
            frontend.setStatus(0);
            frontend.setStatus(ACKNOWLEDGE);
            frontend.setStatus(ACKNOWLEDGE | DRIVER);
        }
        // Without bit 30 rings start enabled; with it, disabled.
        frontend.setFeatures(
                protocolFeatures
                        ? features.with(ProtocolFeature.VHOST_USER_F_PROTOCOL_FEATURES).low()
                        : features.low());
        if (status) {
            int wanted = ACKNOWLEDGE | DRIVER | FEATURES_OK;
            frontend.setStatus(wanted);
            int got = frontend.getStatus();
            if ((got & FEATURES_OK) == 0) {
                throw new BackendException(
                        "the device does not work with %s: status 0x%x".formatted(features, got));
            }
        }
        shareMemory();
    }

    private void shareMemory() throws IOException {
        if (options.memorySlots() && has(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS)) {
            for (GuestMemory.Region region : memory.regions()) {
                frontend.addMemReg(message(region), region.fd());
            }
        } else {
            frontend.setMemTable(
                    new Payload.MemoryTable(
                            memory.regions().stream().map(VhostUserDevice::message).toList()),
                    memory.regions().stream().map(GuestMemory.Region::fd).toArray(Fd[]::new));
        }
    }

    /** A region as messages describe it. */
    public static RegionDescription message(GuestMemory.Region region) {
        GuestMemory.Placement placement = region.placement();
        return new RegionDescription(
                placement.guestAddress(),
                placement.size(),
                placement.userAddress(),
                placement.mapOffset());
    }

    @Override
    public Features accepted() {
        return accepted;
    }

    @Override
    public GuestMemory memory() {
        return memory;
    }

    @Override
    public int queuesMax() {
        return queuesMax;
    }

    @Override
    public byte[] readConfig(int offset, int length) throws IOException {
        return frontend.getConfig(offset, length);
    }

    @Override
    public void writeConfig(int offset, byte[] values) throws IOException {
        frontend.setConfig(offset, values);
    }

    @Override
    public void onConfigChange(Runnable listener) {
        configListeners.add(listener);
    }

    @Override
    public QueueNotifications start(int index, DriverQueue queue) throws IOException {
        Vring vring = new Vring(frontend.channel().socket().fd().number());
        Vring before = vrings.put(index, vring);
        if (before != null) {
            before.close();
        }
        QueueLayout layout = queue.memory().layout();
        frontend.setVringNum(index, layout.size());
        frontend.setVringBase(index, base(queue.position()));
        frontend.setVringAddr(
                new Payload.VringAddress(
                        index,
                        0,
                        memory.userAddress(layout.descriptorArea()),
                        memory.userAddress(layout.deviceArea()),
                        memory.userAddress(layout.driverArea()),
                        0));
        frontend.setVringErr(index, vring.err().fd());
        frontend.setVringCall(index, options.callFd() ? vring.call().fd() : null);
        frontend.setVringKick(index, options.kickFd() ? vring.kick().fd() : null);
        if (protocolFeatures) {
            frontend.setVringEnable(index, true);
        }
        return vring;
    }

    /** The eventfds of a started queue, or null: to kick, or to see an error, by hand. */
    public Vring vring(int index) {
        return vrings.get(index);
    }

    @Override
    public void ready() throws IOException {
        if (has(VHOST_USER_PROTOCOL_F_STATUS)) {
            frontend.setStatus(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
        }
    }

    @Override
    public QueuePosition stop(int index) throws IOException {
        int base = frontend.getVringBase(index);
        Vring vring = vrings.remove(index);
        if (vring != null) {
            vring.close();
        }
        return isPacked()
                ? new QueuePosition(base & 0xffff, base >>> 16)
                : new QueuePosition(base & 0xffff, base & 0xffff);
    }

    /** As SET_VRING_BASE has it: of a packed ring, the place to take and the place to use next. */
    private int base(QueuePosition position) {
        return isPacked() ? position.used() << 16 | position.available() : position.available();
    }

    private boolean isPacked() {
        return accepted.has(FeatureBits.VIRTIO_F_RING_PACKED);
    }

    /** Stops the queues, as long as the backend answers, and frees everything. */
    @Override
    public void close() {
        try {
            frontend.timeout(CLOSE_TIMEOUT_MILLIS);
            for (int index : vrings.keySet()) {
                frontend.getVringBase(index);
            }
        } catch (IOException | IllegalStateException e) {
            LOG.log(Level.DEBUG, "the backend did not stop its queues: {0}", e.getMessage());
        }
        frontend.close();
        if (backendChannel != null) {
            backendChannel.close();
        }
        vrings.values().forEach(Vring::close);
        vrings.clear();
        memory.close();
    }
}
