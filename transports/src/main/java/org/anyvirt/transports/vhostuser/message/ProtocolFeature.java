package org.anyvirt.transports.vhostuser.message;

import java.util.StringJoiner;

/**
 * What vhost-user's own negotiation is about. In the specification's order: the ordinal is the bit.
 */
public enum ProtocolFeature {
    VHOST_USER_PROTOCOL_F_MQ,
    VHOST_USER_PROTOCOL_F_LOG_SHMFD,
    VHOST_USER_PROTOCOL_F_RARP,
    VHOST_USER_PROTOCOL_F_REPLY_ACK,
    VHOST_USER_PROTOCOL_F_MTU,
    VHOST_USER_PROTOCOL_F_BACKEND_REQ,
    VHOST_USER_PROTOCOL_F_CROSS_ENDIAN,
    VHOST_USER_PROTOCOL_F_CRYPTO_SESSION,
    VHOST_USER_PROTOCOL_F_PAGEFAULT,
    VHOST_USER_PROTOCOL_F_CONFIG,
    VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD,
    VHOST_USER_PROTOCOL_F_HOST_NOTIFIER,
    VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD,
    VHOST_USER_PROTOCOL_F_RESET_DEVICE,
    VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS,
    VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS,
    VHOST_USER_PROTOCOL_F_STATUS,
    VHOST_USER_PROTOCOL_F_XEN_MMAP,
    VHOST_USER_PROTOCOL_F_SHARED_OBJECT,
    VHOST_USER_PROTOCOL_F_DEVICE_STATE,
    VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT,
    VHOST_USER_PROTOCOL_F_GPA_ADDRESSES,
    VHOST_USER_PROTOCOL_F_SHMEM,
    VHOST_USER_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN;

    /**
     * A bit among the <em>device's</em> features: the peer knows {@code
     * VHOST_USER_GET_PROTOCOL_FEATURES}. No driver ever sees it.
     */
    public static final int VHOST_USER_F_PROTOCOL_FEATURES = 30;

    /** Another: writes to guest memory are logged. */
    public static final int VHOST_F_LOG_ALL = 26;

    private static final ProtocolFeature[] BY_BIT = values();
    private static final int PREFIX = "VHOST_USER_PROTOCOL_F_".length();

    public int bit() {
        return ordinal();
    }

    /** Whether a set, as the messages carry it, has this feature. */
    public boolean in(long set) {
        return (set >>> ordinal() & 1) != 0;
    }

    /** The set of these features, as the messages carry it. */
    public static long setOf(ProtocolFeature... features) {
        long set = 0;
        for (ProtocolFeature feature : features) {
            set |= 1L << feature.ordinal();
        }
        return set;
    }

    /** For logs: {@code {MQ,REPLY_ACK,41}}. */
    public static String describe(long set) {
        StringJoiner names = new StringJoiner(",", "{", "}");
        for (int bit = 0; bit < Long.SIZE; bit++) {
            if ((set >>> bit & 1) != 0) {
                names.add(
                        bit < BY_BIT.length
                                ? BY_BIT[bit].name().substring(PREFIX)
                                : Integer.toString(bit));
            }
        }
        return names.toString();
    }
}
