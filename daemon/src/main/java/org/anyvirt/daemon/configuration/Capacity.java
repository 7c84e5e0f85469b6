package org.anyvirt.daemon.configuration;

import org.anyvirt.storage.ByteSize;

/**
 * How large a disk is, as people write it: {@code 10G}.
 *
 * @param bytes a positive multiple of 512
 */
public record Capacity(long bytes) {
    public static Capacity parse(String text) {
        try {
            return new Capacity(ByteSize.parse(text));
        } catch (IllegalArgumentException e) {
            throw InvalidValueException.because(e.getMessage());
        }
    }

    @Override
    public String toString() {
        return ByteSize.format(bytes);
    }
}
