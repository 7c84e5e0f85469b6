package org.anyvirt.transports.vhostuser;

import java.io.IOException;
import java.util.EnumSet;
import java.util.Set;
import org.anyvirt.linux.EventFd;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.OpenFile;
import org.anyvirt.linux.UnixSocket;
import org.anyvirt.transports.vhostuser.message.FrontendRequest;
import org.anyvirt.transports.vhostuser.message.MalformedMessageException;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.Payload.VringState;
import org.anyvirt.transports.vhostuser.message.ProtocolFeature;
import org.anyvirt.transports.vhostuser.message.VringDescriptor;
import org.anyvirt.virtio.memory.RegionTable;

/**
 * Turns each request into what it means for the device.
 *
 * <p>Control plane: the session's thread.
 */
final class Dispatch {
    /** The specification lets these be sent when the feature was offered. */
    private static final Set<FrontendRequest> NEED_AN_OFFER =
            EnumSet.of(
                    FrontendRequest.GET_QUEUE_NUM,
                    FrontendRequest.SET_BACKEND_REQ_FD,
                    FrontendRequest.RESET_DEVICE);

    private final VhostDevice device;
    private final ConfigMessages config;
    private final Session session;

    Dispatch(VhostDevice device, Session session) {
        this.device = device;
        this.config = new ConfigMessages(device.config());
        this.session = session;
    }

    /**
     * Does what a request asks for.
     *
     * @param request null for one that the specification does not have
     * @param message its descriptors are taken where they are of use
     * @return the reply's payload, where the request has a reply of its own
     */
    Payload handle(FrontendRequest request, Incoming message)
            throws RefusedException, MalformedMessageException, IOException {
        check(request, message);
        Payload payload = request.payload().read(message.payload());
        Payload reply = Payload.EMPTY;
        switch (request) {
            case GET_FEATURES -> reply = new Payload.U64(device.offered().low());
            case SET_FEATURES -> device.features(integer(payload));
            case GET_PROTOCOL_FEATURES -> reply = new Payload.U64(VhostDevice.PROTOCOL_FEATURES);
            case SET_PROTOCOL_FEATURES -> device.protocolFeatures(integer(payload));
            case SET_OWNER -> {} // the connection says as much
            case RESET_OWNER -> device.disableVrings();
            case RESET_DEVICE -> device.reset();
            case GET_QUEUE_NUM -> reply = new Payload.U64(device.vringCount());
            case SET_MEM_TABLE -> setMemoryTable((Payload.MemoryTable) payload, message);
            case GET_MAX_MEM_SLOTS -> reply = new Payload.U64(RegionTable.MAX_REGIONS);
            case ADD_MEM_REG -> addRegion((Payload.SingleRegion) payload, message);
            case REM_MEM_REG ->
                    device.memoryChanged(
                            device.memoryTable().remove(((Payload.SingleRegion) payload).region()));
            case SET_VRING_NUM -> vring(payload).size(((VringState) payload).num());
            case SET_VRING_ADDR -> setVringAddress((Payload.VringAddress) payload);
            case SET_VRING_BASE -> vring(payload).base(((VringState) payload).num());
            case GET_VRING_BASE ->
                    reply = new VringState(((VringState) payload).index(), vring(payload).stop());
            case SET_VRING_ENABLE -> vring(payload).enable(isEnable((VringState) payload));
            case SET_VRING_KICK -> vringOf(payload).kick(eventDescriptor(payload, message));
            case SET_VRING_CALL -> vringOf(payload).call(eventDescriptor(payload, message));
            case SET_VRING_ERR -> vringOf(payload).error(eventDescriptor(payload, message));
            case GET_CONFIG -> reply = config.read(payload);
            case SET_CONFIG -> config.write(payload);
            case SET_BACKEND_REQ_FD ->
                    session.backendChannel(new UnixSocket(onlyDescriptor(message)));
            case SET_STATUS -> device.status(integer(payload));
            case GET_STATUS -> reply = new Payload.U64(device.status().get());
            // Needs VIRTIO_F_ACCESS_PLATFORM, or is another device's.
            case IOTLB_MSG, GPU_SET_SOCKET -> throw new RefusedException("is not supported");
            // Each of the others needs a protocol feature that is not offered: check() refused it.
            default -> throw new AssertionError(request);
        }
        return reply;
    }

    private void setVringAddress(Payload.VringAddress address) throws RefusedException {
        device.vring(address.index()).address(address);
    }

    private void check(FrontendRequest request, Incoming message) throws RefusedException {
        if (message.header().isReply()) {
            throw new RefusedException("is a reply, and nothing was asked");
        }
        if (request == null) {
            throw new RefusedException("is unknown");
        }
        ProtocolFeature feature = request.protocolFeature();
        long present =
                NEED_AN_OFFER.contains(request)
                        ? VhostDevice.PROTOCOL_FEATURES
                        : device.protocolFeatures();
        if (feature != null && !feature.in(present)) {
            throw new RefusedException(
                    "needs %s, which was not %s"
                            .formatted(
                                    feature,
                                    feature.in(VhostDevice.PROTOCOL_FEATURES)
                                            ? "negotiated"
                                            : "offered"));
        }
        if (message.descriptorCount() > request.descriptorsMax()) {
            throw new RefusedException(
                    "has %d descriptors, of at most %d"
                            .formatted(message.descriptorCount(), request.descriptorsMax()));
        }
    }

    private void setMemoryTable(Payload.MemoryTable table, Incoming message)
            throws RefusedException {
        if (message.descriptorCount() != table.regions().size()) {
            throw new RefusedException(
                    "has %d descriptors for %d regions"
                            .formatted(message.descriptorCount(), table.regions().size()));
        }
        device.memoryChanged(device.memoryTable().replace(table.regions(), message.descriptors()));
    }

    private void addRegion(Payload.SingleRegion single, Incoming message) throws RefusedException {
        try (Fd file = onlyDescriptor(message)) {
            device.memoryTable().add(single.region(), file);
        }
        device.memoryAdded();
    }

    private Vring vring(Payload payload) throws RefusedException {
        return device.vring(((VringState) payload).index());
    }

    private Vring vringOf(Payload payload) throws RefusedException, MalformedMessageException {
        return device.vring(VringDescriptor.of((Payload.U64) payload).index());
    }

    /**
     * The descriptor of a kick, call or error message, made unable to block a runner; null for
     * none.
     */
    private static Fd eventDescriptor(Payload payload, Incoming message)
            throws RefusedException, MalformedMessageException, IOException {
        if (!VringDescriptor.of((Payload.U64) payload).present()) {
            if (message.descriptorCount() != 0) {
                throw new RefusedException("has a descriptor, and says that there is none");
            }
            return null;
        }
        Fd fd = onlyDescriptor(message);
        try {
            // A pipe would do for a driver that has no eventfd, but fills up when it is not read.
            if (!EventFd.isEventFd(fd)) {
                throw new RefusedException("has a descriptor that is no eventfd");
            }
            OpenFile.setNonBlocking(fd);
            return fd;
        } catch (RefusedException | IOException | RuntimeException e) {
            fd.close();
            throw e;
        }
    }

    private static Fd onlyDescriptor(Incoming message) throws RefusedException {
        if (message.descriptorCount() != 1) {
            throw new RefusedException(
                    "has %d descriptors instead of 1".formatted(message.descriptorCount()));
        }
        return message.takeDescriptor();
    }

    private static boolean isEnable(VringState state) throws RefusedException {
        if (state.num() != 0 && state.num() != 1) {
            throw new RefusedException(
                    "vring %d: %s is neither enable (1) nor disable (0)"
                            .formatted(state.index(), Integer.toUnsignedString(state.num())));
        }
        return state.num() == 1;
    }

    private static long integer(Payload payload) {
        return ((Payload.U64) payload).value();
    }
}
