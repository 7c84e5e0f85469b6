package org.anyvirt.transports.vhostuser;

import org.anyvirt.virtio.spec.DeviceStatus;

/**
 * The device status, for frontends that negotiated {@code VHOST_USER_PROTOCOL_F_STATUS} (VIRTIO
 * 1.3, 2.1). Without it there is no status, and no moment when the driver says that it is set up.
 *
 * <p>Control plane; {@link #needsReset} from any thread.
 */
final class StatusRegister {
    private static final int KNOWN =
            DeviceStatus.ACKNOWLEDGE
                    | DeviceStatus.DRIVER
                    | DeviceStatus.FEATURES_OK
                    | DeviceStatus.DRIVER_OK
                    | DeviceStatus.DEVICE_NEEDS_RESET
                    | DeviceStatus.FAILED;

    private int driver;
    private volatile boolean needsReset;

    int get() {
        return needsReset ? driver | DeviceStatus.DEVICE_NEEDS_RESET : driver;
    }

    /**
     * The driver, or a frontend for it, sets bits. Frontends do not keep the specification's order,
     * but they may take none back.
     */
    void set(long next) throws RefusedException {
        if ((next & ~(long) KNOWN) != 0) {
            throw new RefusedException("a status of 0x%x has unknown bits".formatted(next));
        }
        // The device's own bit may have been set after the frontend looked.
        int bits = (int) next & ~DeviceStatus.DEVICE_NEEDS_RESET;
        if ((driver & ~bits) != 0) {
            throw new RefusedException(
                    "a status of 0x%x after 0x%x: only a reset takes bits back"
                            .formatted(bits, driver));
        }
        driver = bits;
    }

    boolean driverOk() {
        return (driver & DeviceStatus.DRIVER_OK) != 0;
    }

    void needsReset() {
        needsReset = true;
    }

    void reset() {
        driver = 0;
        needsReset = false;
    }
}
