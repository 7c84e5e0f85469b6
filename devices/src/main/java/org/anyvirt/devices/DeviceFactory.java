package org.anyvirt.devices;

import java.util.function.BiFunction;
import org.anyvirt.virtio.device.Device;
import org.anyvirt.virtio.spec.DeviceId;

/**
 * How a kind of device comes into being: all that the command line and the configuration need to
 * know of it.
 *
 * @param id names it: {@code anyvirt serve block}
 * @param config the record that options and configuration keys are bound to; its constructor throws
 *     {@link IllegalArgumentException}, naming the component, for values that cannot be
 * @param backend what the device stands on and takes over: its {@link Device#close} closes it
 * @param constructor makes one, not yet known to any driver
 */
public record DeviceFactory<C extends Record, B>(
        DeviceId id,
        Class<C> config,
        Class<B> backend,
        BiFunction<? super C, ? super B, ? extends Device> constructor) {

    public Device create(C with, B on) {
        return constructor.apply(with, on);
    }
}
