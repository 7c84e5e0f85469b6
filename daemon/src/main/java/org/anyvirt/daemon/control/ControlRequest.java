package org.anyvirt.daemon.control;

import java.util.Objects;
import java.util.stream.Stream;
import org.anyvirt.daemon.configuration.BlockConfiguration;
import org.anyvirt.daemon.configuration.Capacity;
import org.anyvirt.daemon.configuration.InvalidValueException;

/**
 * What a client asks of the daemon: exactly one operation. As JSON, {@code
 * {"resize":{"device":"disk0","capacity":"20G"}}}.
 */
public record ControlRequest(
        Operation.ListDevices list,
        Operation.Show show,
        Operation.Resize resize,
        Operation.Add add,
        Operation.Remove remove,
        Operation.Shutdown shutdown) {
    public ControlRequest {
        if (Stream.of(list, show, resize, add, remove, shutdown).filter(Objects::nonNull).count()
                != 1) {
            throw InvalidValueException.because(
                    "expected exactly one of list, show, resize, add, remove, shutdown");
        }
    }

    public static ControlRequest of(Operation operation) {
        return switch (operation) {
            case Operation.ListDevices o -> new ControlRequest(o, null, null, null, null, null);
            case Operation.Show o -> new ControlRequest(null, o, null, null, null, null);
            case Operation.Resize o -> new ControlRequest(null, null, o, null, null, null);
            case Operation.Add o -> new ControlRequest(null, null, null, o, null, null);
            case Operation.Remove o -> new ControlRequest(null, null, null, null, o, null);
            case Operation.Shutdown o -> new ControlRequest(null, null, null, null, null, o);
        };
    }

    public Operation operation() {
        return Stream.<Operation>of(list, show, resize, add, remove, shutdown)
                .filter(Objects::nonNull)
                .findFirst()
                .orElseThrow();
    }

    /** One of the things that can be asked. */
    public sealed interface Operation {
        /** All devices. */
        record ListDevices() implements Operation {}

        /** One device. */
        record Show(String device) implements Operation {
            public Show {
                require("device", device, "the name of a device");
            }
        }

        /** Changes a device's capacity. */
        record Resize(String device, Capacity capacity) implements Operation {
            public Resize {
                require("device", device, "the name of a device");
                require("capacity", capacity, "a size, like 20G");
            }
        }

        /** Serves another device, configured as in the configuration file. */
        record Add(String device, BlockConfiguration block) implements Operation {
            public Add {
                require("device", device, "a name for the device");
                require("block", block, "the configuration of a block device");
            }
        }

        /** Serves a device no more. */
        record Remove(String device) implements Operation {
            public Remove {
                require("device", device, "the name of a device");
            }
        }

        /** Ends the daemon. */
        record Shutdown() implements Operation {}

        private static void require(String property, Object value, String expected) {
            if (value == null) {
                throw InvalidValueException.missing(property, expected);
            }
        }
    }
}
