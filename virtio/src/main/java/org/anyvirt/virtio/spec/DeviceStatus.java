package org.anyvirt.virtio.spec;

/**
 * The bits of the device status field (VIRTIO 1.3, 2.1), in the order in which a driver sets them.
 */
public final class DeviceStatus {
    /** The driver has found the device. */
    public static final int ACKNOWLEDGE = 1;

    /** The driver knows how to drive it. */
    public static final int DRIVER = 2;

    /**
     * The driver has accepted its features; the device clears the bit again if it does not agree.
     */
    public static final int FEATURES_OK = 8;

    /** The driver is set up. */
    public static final int DRIVER_OK = 4;

    /** The device cannot go on before it is reset. */
    public static final int DEVICE_NEEDS_RESET = 64;

    /** The driver has given up on the device. */
    public static final int FAILED = 128;

    private DeviceStatus() {}
}
