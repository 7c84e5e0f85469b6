package org.anyvirt.daemon.control;

import java.util.List;
import org.anyvirt.daemon.serving.DeviceStatus;

/**
 * What the daemon answers.
 *
 * @param devices those that were asked about, as they are after the operation; null after an error
 * @param error why nothing was done, in one line; null when it was
 */
public record ControlAnswer(List<DeviceStatus> devices, String error) {
    static ControlAnswer of(List<DeviceStatus> devices) {
        return new ControlAnswer(devices, null);
    }

    static ControlAnswer error(String why) {
        return new ControlAnswer(null, why);
    }
}
