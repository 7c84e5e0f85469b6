package org.anyvirt.transports.vhostuser;

import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.Payload.Config;
import org.anyvirt.virtio.device.ConfigSpace;

/** The frontend's reads and writes of the configuration space. Control plane. */
final class ConfigMessages {
    private final ConfigSpace space;

    ConfigMessages(ConfigSpace space) {
        this.space = space;
    }

    /**
     * {@code GET_CONFIG}. Frontends ask for as much as they know fields of, so what this device has
     * not reads as zeros.
     */
    Config read(Payload payload) throws RefusedException {
        Config wanted = config(payload);
        int length = wanted.bytes().length;
        if (length == 0 || wanted.offset() < 0 || wanted.offset() > Config.BYTES_MAX - length) {
            throw new RefusedException(
                    "configuration [%s, +%d), of at most %d bytes"
                            .formatted(
                                    Integer.toUnsignedString(wanted.offset()),
                                    length,
                                    Config.BYTES_MAX));
        }
        return new Config(wanted.offset(), wanted.flags(), space.read(wanted.offset(), length));
    }

    /** {@code SET_CONFIG}. */
    void write(Payload payload) throws RefusedException {
        Config written = config(payload);
        // A migration restores fields that are not writable; nothing here can be migrated yet.
        if (written.flags() != 0) {
            throw new RefusedException(
                    "configuration with flags 0x%x, of which none are supported"
                            .formatted(written.flags()));
        }
        if (!space.write(written.offset(), written.bytes())) {
            throw new RefusedException(
                    "configuration [%s, +%d) is not writable, of %d bytes"
                            .formatted(
                                    Integer.toUnsignedString(written.offset()),
                                    written.bytes().length,
                                    space.size()));
        }
    }

    private static Config config(Payload payload) throws RefusedException {
        if (payload instanceof Config config) {
            return config;
        }
        throw new RefusedException("has no payload");
    }
}
