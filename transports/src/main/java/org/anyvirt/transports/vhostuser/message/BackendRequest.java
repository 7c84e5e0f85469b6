package org.anyvirt.transports.vhostuser.message;

import static org.anyvirt.transports.vhostuser.message.ProtocolFeature.*;

/**
 * What a backend asks of its frontend, on the channel that {@code SET_BACKEND_REQ_FD} brought. The
 * names are the specification's, without {@code VHOST_USER_BACKEND_}.
 */
public enum BackendRequest implements Request {
    IOTLB_MSG(1, Shape.IOTLB, 0, Shape.NONE, null),
    CONFIG_CHANGE_MSG(2, Shape.EMPTY, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_CONFIG),
    VRING_HOST_NOTIFIER_MSG(
            3, Shape.VRING_AREA, 1, Shape.NONE, VHOST_USER_PROTOCOL_F_HOST_NOTIFIER),
    VRING_CALL(4, Shape.VRING_STATE, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS),
    VRING_ERR(5, Shape.VRING_STATE, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS),
    SHARED_OBJECT_ADD(6, Shape.OPAQUE, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_SHARED_OBJECT),
    SHARED_OBJECT_REMOVE(7, Shape.OPAQUE, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_SHARED_OBJECT),
    SHARED_OBJECT_LOOKUP(8, Shape.OPAQUE, 0, Shape.U64, VHOST_USER_PROTOCOL_F_SHARED_OBJECT),
    SHMEM_MAP(9, Shape.OPAQUE, 1, Shape.NONE, VHOST_USER_PROTOCOL_F_SHMEM),
    SHMEM_UNMAP(10, Shape.OPAQUE, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_SHMEM);

    private static final BackendRequest[] BY_ID = values();

    private final int id;
    private final Shape payload;
    private final int descriptorsMax;
    private final Shape reply;
    private final ProtocolFeature protocolFeature;

    BackendRequest(
            int id,
            Shape payload,
            int descriptorsMax,
            Shape reply,
            ProtocolFeature protocolFeature) {
        this.id = id;
        this.payload = payload;
        this.descriptorsMax = descriptorsMax;
        this.reply = reply;
        this.protocolFeature = protocolFeature;
    }

    /** The request of this number, or null for one that the specification does not have. */
    public static BackendRequest of(int id) {
        return id >= 1 && id <= BY_ID.length ? BY_ID[id - 1] : null;
    }

    @Override
    public int id() {
        return id;
    }

    @Override
    public Shape payload() {
        return payload;
    }

    @Override
    public Shape reply() {
        return reply;
    }

    @Override
    public int descriptorsMax() {
        return descriptorsMax;
    }

    @Override
    public ProtocolFeature protocolFeature() {
        return protocolFeature;
    }
}
