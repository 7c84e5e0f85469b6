package org.anyvirt.devices;

import java.util.List;
import org.anyvirt.devices.block.BlockDevice;

/** The kinds of device that there are. */
public final class Devices {
    /** In the order of their numbers in VIRTIO 1.3, section 5. Add yours here. */
    public static final List<DeviceFactory<?, ?>> ALL = List.of(BlockDevice.FACTORY);

    private Devices() {}
}
