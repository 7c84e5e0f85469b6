package org.anyvirt.virtio.queue;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class MemoryGenerationsTest {
    private final MemoryGenerations generations = new MemoryGenerations();
    private final List<String> released = new ArrayList<>();

    @Test
    void countsNoChainWithTheFirstTokenAfterTheChange() {
        generations.changed(5L << 16, 1, () -> released.add("a"));

        generations.ended(5L << 16);
        assertThat(released).isEmpty();
        generations.ended(4L << 16 | 7);
        assertThat(released).containsExactly("a");
        assertThat(generations.isWaiting()).isFalse();
    }

    @Test
    void staysRightWhenTokensComeRound() {
        generations.changed(Long.MIN_VALUE, 1, () -> released.add("a"));

        generations.ended(Long.MIN_VALUE | 3L << 16);
        assertThat(released).isEmpty();
        generations.ended(Long.MAX_VALUE);
        assertThat(released).containsExactly("a");
    }
}
