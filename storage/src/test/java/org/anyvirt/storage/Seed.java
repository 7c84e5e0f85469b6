package org.anyvirt.storage;

import java.util.SplittableRandom;

/** Randomness that can be had again: {@code -Danyvirt.seed=}. */
public final class Seed {
    private static final System.Logger LOG = System.getLogger(Seed.class.getName());

    private Seed() {}

    /** A generator whose seed is logged. */
    public static SplittableRandom random(String test) {
        long seed = Long.getLong("anyvirt.seed", System.nanoTime());
        LOG.log(System.Logger.Level.INFO, "{0}: -Danyvirt.seed={1}", test, Long.toString(seed));
        return new SplittableRandom(seed);
    }
}
