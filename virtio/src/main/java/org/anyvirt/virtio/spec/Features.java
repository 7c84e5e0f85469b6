package org.anyvirt.virtio.spec;

import java.util.StringJoiner;

/**
 * A set of feature bits, 0 to 127 (VIRTIO 1.3, 2.2).
 *
 * @param low bits 0 to 63
 * @param high bits 64 to 127
 */
public record Features(long low, long high) {
    public static final Features NONE = new Features(0, 0);

    /** The set of the given bit numbers. */
    public static Features of(int... bits) {
        Features set = NONE;
        for (int bit : bits) {
            set = set.with(bit);
        }
        return set;
    }

    public boolean has(int bit) {
        return ((check(bit) < 64 ? low >>> bit : high >>> (bit - 64)) & 1) != 0;
    }

    public Features with(int bit) {
        return check(bit) < 64
                ? new Features(low | 1L << bit, high)
                : new Features(low, high | 1L << (bit - 64));
    }

    public Features without(int bit) {
        return check(bit) < 64
                ? new Features(low & ~(1L << bit), high)
                : new Features(low, high & ~(1L << (bit - 64)));
    }

    public Features and(Features other) {
        return new Features(low & other.low, high & other.high);
    }

    public Features or(Features other) {
        return new Features(low | other.low, high | other.high);
    }

    /** The bits of this set that {@code other} has not. */
    public Features minus(Features other) {
        return new Features(low & ~other.low, high & ~other.high);
    }

    public boolean isEmpty() {
        return (low | high) == 0;
    }

    /** The bit numbers, for logs: {@code {0,9,32}}. */
    @Override
    public String toString() {
        StringJoiner bits = new StringJoiner(",", "{", "}");
        for (int bit = 0; bit < 128; bit++) {
            if (has(bit)) {
                bits.add(Integer.toString(bit));
            }
        }
        return bits.toString();
    }

    private static int check(int bit) {
        if (bit < 0 || bit > 127) {
            throw new IllegalArgumentException("a feature bit is 0 to 127, not " + bit);
        }
        return bit;
    }
}
