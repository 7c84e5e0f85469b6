package org.anyvirt.e2e.hostile;

import java.util.List;
import java.util.SplittableRandom;

/** What a random session draws: from one seed, the same each time. */
final class RandomChoice {
    /** Numbers at which something overflows, is cut off, or changes its sign. */
    private static final long[] TURNING_POINTS = {
        0,
        1,
        -1,
        2,
        8,
        16,
        255,
        256,
        511,
        4095,
        4096,
        1 << 15,
        1 << 16,
        Integer.MAX_VALUE,
        1L << 31,
        0xffff_ffffL,
        1L << 32,
        1L << 62,
        Long.MAX_VALUE,
        Long.MIN_VALUE
    };

    private final SplittableRandom random;

    RandomChoice(long seed) {
        this.random = new SplittableRandom(seed);
    }

    /** From 0 to {@code bound - 1}. */
    int below(int bound) {
        return random.nextInt(bound);
    }

    boolean oneIn(int times) {
        return random.nextInt(times) == 0;
    }

    <T> T of(List<T> all) {
        return all.get(random.nextInt(all.size()));
    }

    /** A number at a turning point, beside one, or anywhere. */
    long number() {
        long point = TURNING_POINTS[random.nextInt(TURNING_POINTS.length)];
        return switch (random.nextInt(4)) {
            case 0 -> random.nextLong();
            case 1 -> point + random.nextInt(-2, 3);
            default -> point;
        };
    }

    byte[] bytes(int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }
}
