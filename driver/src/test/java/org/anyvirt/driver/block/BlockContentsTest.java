package org.anyvirt.driver.block;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class BlockContentsTest {
    private static final int BLOCK = 512;

    private final BlockContents contents = new BlockContents(8, BLOCK, 1);
    private final MemorySegment memory = MemorySegment.ofArray(new byte[2 * BLOCK]);

    private void write(int block) {
        assertThat(contents.take(block)).isEqualTo(block);
        contents.fill(block, memory, BLOCK);
        contents.written(block, true);
    }

    @Test
    void knowsWhatItWrote() {
        assertThat(contents.isKnown(3)).isFalse();
        assertThat(contents.mismatch(3, memory, BLOCK)).isNull();
        write(3);
        assertThat(contents.isKnown(3)).isTrue();
        assertThat(contents.mismatch(3, memory, BLOCK)).isNull();
    }

    @Test
    void seesAFlippedBit() {
        write(3);
        memory.set(
                ValueLayout.JAVA_BYTE,
                2 * BLOCK - 1,
                (byte) ~memory.get(ValueLayout.JAVA_BYTE, 2 * BLOCK - 1));
        assertThat(contents.mismatch(3, memory, BLOCK)).contains("block 3", "at byte 504");
    }

    @Test
    void seesAnotherBlockAndAnEarlierVersion() {
        write(3);
        byte[] old = memory.asSlice(BLOCK).toArray(ValueLayout.JAVA_BYTE);
        write(3);
        assertThat(contents.mismatch(3, memory, BLOCK)).isNull();
        assertThat(contents.mismatch(3, MemorySegment.ofArray(old), 0)).isNotNull();
        write(4);
        assertThat(contents.mismatch(3, memory, BLOCK)).isNotNull();
    }

    @Test
    void givesEachBlockToOneRequestAtATime() {
        assertThat(contents.take(7)).isEqualTo(7);
        assertThat(contents.take(7)).isZero();
        assertThat(contents.take(7)).isOne();
        contents.read(0);
        assertThat(contents.take(7)).isZero();
    }

    @Test
    void expectsNothingAfterAFailedWrite() {
        write(2);
        contents.take(2);
        contents.written(2, false);
        assertThat(contents.isKnown(2)).isFalse();
        write(2);
        assertThat(contents.isKnown(2)).isFalse();
    }
}
