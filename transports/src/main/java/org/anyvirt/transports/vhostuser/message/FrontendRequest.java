package org.anyvirt.transports.vhostuser.message;

import static org.anyvirt.transports.vhostuser.message.ProtocolFeature.*;

/**
 * What a frontend asks of a backend. The names are the specification's, without {@code
 * VHOST_USER_}.
 */
public enum FrontendRequest implements Request {
    GET_FEATURES(1, Shape.EMPTY, 0, Shape.U64, null),
    SET_FEATURES(2, Shape.U64, 0, Shape.NONE, null),
    SET_OWNER(3, Shape.EMPTY, 0, Shape.NONE, null),
    RESET_OWNER(4, Shape.EMPTY, 0, Shape.NONE, null),
    SET_MEM_TABLE(5, Shape.MEMORY_TABLE, Payload.MemoryTable.REGIONS_MAX, Shape.NONE, null),
    SET_LOG_BASE(6, Shape.LOG, 1, Shape.U64, VHOST_USER_PROTOCOL_F_LOG_SHMFD),
    SET_LOG_FD(7, Shape.EMPTY, 1, Shape.NONE, VHOST_USER_PROTOCOL_F_LOG_SHMFD),
    SET_VRING_NUM(8, Shape.VRING_STATE, 0, Shape.NONE, null),
    SET_VRING_ADDR(9, Shape.VRING_ADDRESS, 0, Shape.NONE, null),
    SET_VRING_BASE(10, Shape.VRING_STATE, 0, Shape.NONE, null),
    GET_VRING_BASE(11, Shape.VRING_STATE, 0, Shape.VRING_STATE, null),
    SET_VRING_KICK(12, Shape.U64, 1, Shape.NONE, null),
    SET_VRING_CALL(13, Shape.U64, 1, Shape.NONE, null),
    SET_VRING_ERR(14, Shape.U64, 1, Shape.NONE, null),
    GET_PROTOCOL_FEATURES(15, Shape.EMPTY, 0, Shape.U64, null),
    SET_PROTOCOL_FEATURES(16, Shape.U64, 0, Shape.NONE, null),
    GET_QUEUE_NUM(17, Shape.EMPTY, 0, Shape.U64, VHOST_USER_PROTOCOL_F_MQ),
    SET_VRING_ENABLE(18, Shape.VRING_STATE, 0, Shape.NONE, null),
    SEND_RARP(19, Shape.U64, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_RARP),
    NET_SET_MTU(20, Shape.U64, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_MTU),
    SET_BACKEND_REQ_FD(21, Shape.EMPTY, 1, Shape.NONE, VHOST_USER_PROTOCOL_F_BACKEND_REQ),
    IOTLB_MSG(22, Shape.IOTLB, 0, Shape.U64, null),
    SET_VRING_ENDIAN(23, Shape.VRING_STATE, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_CROSS_ENDIAN),
    GET_CONFIG(24, Shape.CONFIG, 0, Shape.CONFIG, VHOST_USER_PROTOCOL_F_CONFIG),
    SET_CONFIG(25, Shape.CONFIG, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_CONFIG),
    CREATE_CRYPTO_SESSION(26, Shape.OPAQUE, 0, Shape.OPAQUE, VHOST_USER_PROTOCOL_F_CRYPTO_SESSION),
    CLOSE_CRYPTO_SESSION(27, Shape.U64, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_CRYPTO_SESSION),
    POSTCOPY_ADVISE(28, Shape.EMPTY, 0, Shape.EMPTY, VHOST_USER_PROTOCOL_F_PAGEFAULT),
    POSTCOPY_LISTEN(29, Shape.EMPTY, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_PAGEFAULT),
    POSTCOPY_END(30, Shape.EMPTY, 0, Shape.U64, VHOST_USER_PROTOCOL_F_PAGEFAULT),
    GET_INFLIGHT_FD(31, Shape.INFLIGHT, 0, Shape.INFLIGHT, VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD),
    SET_INFLIGHT_FD(32, Shape.INFLIGHT, 1, Shape.NONE, VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD),
    GPU_SET_SOCKET(33, Shape.EMPTY, 1, Shape.NONE, null),
    RESET_DEVICE(34, Shape.EMPTY, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_RESET_DEVICE),
    VRING_KICK(35, Shape.VRING_STATE, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS),
    GET_MAX_MEM_SLOTS(36, Shape.EMPTY, 0, Shape.U64, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS),
    ADD_MEM_REG(37, Shape.SINGLE_REGION, 1, Shape.NONE, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS),
    /** One descriptor is allowed, for frontends that send what the specification says not to. */
    REM_MEM_REG(38, Shape.SINGLE_REGION, 1, Shape.NONE, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS),
    SET_STATUS(39, Shape.U64, 0, Shape.NONE, VHOST_USER_PROTOCOL_F_STATUS),
    GET_STATUS(40, Shape.EMPTY, 0, Shape.U64, VHOST_USER_PROTOCOL_F_STATUS),
    GET_SHARED_OBJECT(41, Shape.OPAQUE, 0, Shape.EMPTY, VHOST_USER_PROTOCOL_F_SHARED_OBJECT),
    SET_DEVICE_STATE_FD(42, Shape.DEVICE_STATE, 1, Shape.U64, VHOST_USER_PROTOCOL_F_DEVICE_STATE),
    CHECK_DEVICE_STATE(43, Shape.EMPTY, 0, Shape.U64, VHOST_USER_PROTOCOL_F_DEVICE_STATE),
    GET_SHMEM_CONFIG(44, Shape.EMPTY, 0, Shape.OPAQUE, VHOST_USER_PROTOCOL_F_SHMEM),
    GET_VRING_BASE_SKIP_DRAIN(
            45,
            Shape.VRING_STATE,
            0,
            Shape.VRING_STATE,
            VHOST_USER_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN);

    private static final FrontendRequest[] BY_ID = values();

    private final int id;
    private final Shape payload;
    private final int descriptorsMax;
    private final Shape reply;
    private final ProtocolFeature protocolFeature;

    FrontendRequest(
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
    public static FrontendRequest of(int id) {
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
