package org.anyvirt.virtio.spec;

/** Feature bits that belong to no device type (VIRTIO 1.3, 6). */
public final class FeatureBits {
    public static final int VIRTIO_F_NOTIFY_ON_EMPTY = 24;
    public static final int VIRTIO_F_ANY_LAYOUT = 27;
    public static final int VIRTIO_F_INDIRECT_DESC = 28;
    public static final int VIRTIO_F_EVENT_IDX = 29;
    public static final int VIRTIO_F_VERSION_1 = 32;
    public static final int VIRTIO_F_ACCESS_PLATFORM = 33;
    public static final int VIRTIO_F_RING_PACKED = 34;
    public static final int VIRTIO_F_IN_ORDER = 35;
    public static final int VIRTIO_F_ORDER_PLATFORM = 36;
    public static final int VIRTIO_F_SR_IOV = 37;
    public static final int VIRTIO_F_NOTIFICATION_DATA = 38;
    public static final int VIRTIO_F_NOTIF_CONFIG_DATA = 39;
    public static final int VIRTIO_F_RING_RESET = 40;
    public static final int VIRTIO_F_ADMIN_VQ = 41;

    private FeatureBits() {}
}
