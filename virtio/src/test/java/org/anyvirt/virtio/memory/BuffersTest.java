package org.anyvirt.virtio.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class BuffersTest {
    private final MemorySegment memory = Arena.ofAuto().allocate(256, 16);
    private final Buffers buffers = new Buffers();

    @Test
    void copiesOutOfSeveralFragments() {
        text("ab|cde||f");

        assertThat(get(0, 6)).isEqualTo("abcdef");
        assertThat(get(1, 3)).isEqualTo("bcd");
        assertThat(get(4, 2)).isEqualTo("ef");
        assertThat(get(6, 0)).isEmpty();
    }

    @Test
    void copiesIntoSeveralFragments() {
        text("ab|cde||f");
        byte[] source = "123456".getBytes(StandardCharsets.US_ASCII);

        buffers.put(1, MemorySegment.ofArray(source), 2, 4);

        assertThat(get(0, 6)).isEqualTo("a3456f");
    }

    @Test
    void copiesToAndFromAPositionInTheOtherMemory() {
        text("ab|cd");
        MemorySegment into = MemorySegment.ofArray("......".getBytes(StandardCharsets.US_ASCII));

        buffers.get(1, into, 2, 2);

        assertThat(new String(into.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.US_ASCII))
                .isEqualTo("..bc..");
    }

    @Test
    void fillsAcrossFragments() {
        text("ab|cde||f");

        buffers.fill(1, 4, (byte) '-');

        assertThat(get(0, 6)).isEqualTo("a----f");
    }

    @Test
    void readsAndWritesSingleBytes() {
        text("ab|cde||f");

        assertThat(buffers.getByte(5)).isEqualTo((byte) 'f');
        buffers.putByte(2, (byte) 'X');
        assertThat(get(0, 6)).isEqualTo("abXdef");
    }

    @Test
    void writesIovecsOfTheFragmentsThatARangeTouches() {
        text("ab|cde||f");
        MemorySegment iovecs = Arena.ofAuto().allocate(64, 8);

        assertThat(buffers.iovecs(1, 4, iovecs)).isEqualTo(2);

        assertThat(iovecs.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(memory.address() + 1);
        assertThat(iovecs.get(ValueLayout.JAVA_LONG, 8)).isEqualTo(1);
        assertThat(iovecs.get(ValueLayout.JAVA_LONG, 16)).isEqualTo(memory.address() + 16);
        assertThat(iovecs.get(ValueLayout.JAVA_LONG, 24)).isEqualTo(3);
        assertThat(buffers.iovecs(6, 0, iovecs)).isZero();
    }

    @Test
    void refusesRangesBeyondTheEnd() {
        text("ab|c");
        MemorySegment other = Arena.ofAuto().allocate(16);

        assertThatThrownBy(() -> buffers.get(0, other, 0, 4)).isInstanceOf(OUT_OF_BOUNDS);
        assertThatThrownBy(() -> buffers.get(-1, other, 0, 1)).isInstanceOf(OUT_OF_BOUNDS);
        assertThatThrownBy(() -> buffers.put(4, other, 0, 0)).isInstanceOf(OUT_OF_BOUNDS);
        assertThatThrownBy(() -> buffers.put(1, other, 0, Long.MAX_VALUE))
                .isInstanceOf(OUT_OF_BOUNDS);
        assertThatThrownBy(() -> buffers.fill(0, -1, (byte) 0)).isInstanceOf(OUT_OF_BOUNDS);
        assertThatThrownBy(() -> buffers.iovecs(2, 2, other)).isInstanceOf(OUT_OF_BOUNDS);
        assertThatThrownBy(() -> buffers.getByte(3)).isInstanceOf(OUT_OF_BOUNDS);
        assertThatThrownBy(() -> buffers.putByte(-1, (byte) 0)).isInstanceOf(OUT_OF_BOUNDS);
    }

    @Test
    void refusesToCopyMoreThanTheOtherMemoryHolds() {
        text("abcd|ef");
        MemorySegment other = Arena.ofAuto().allocate(3);

        assertThatThrownBy(() -> buffers.get(0, other, 0, 4)).isInstanceOf(OUT_OF_BOUNDS);
        assertThatThrownBy(() -> buffers.iovecs(0, 6, Arena.ofAuto().allocate(16, 8)))
                .isInstanceOf(OUT_OF_BOUNDS);
    }

    @Test
    void growsToTheLongestChainAndForgetsIt() {
        for (int i = 0; i < 1000; i++) {
            buffers.add(memory, i % 200, 1 + i % 3);
        }
        assertThat(buffers.fragments()).isEqualTo(1000);
        assertThat(buffers.total()).isEqualTo(1999);
        assertThat(buffers.offset(999)).isEqualTo(199);

        buffers.truncate(3);
        assertThat(buffers.fragments()).isEqualTo(3);
        assertThat(buffers.total()).isEqualTo(6);

        buffers.clear();
        assertThat(buffers.fragments()).isZero();
        assertThat(buffers.total()).isZero();
        assertThat(buffers.memory(0)).as("holds no memory when empty").isNull();
    }

    private static final Class<IndexOutOfBoundsException> OUT_OF_BOUNDS =
            IndexOutOfBoundsException.class;

    /** A fragment for each part between the bars, 16 bytes apart. */
    private void text(String fragments) {
        long at = 0;
        for (String part : fragments.split("\\|")) {
            byte[] bytes = part.getBytes(StandardCharsets.US_ASCII);
            MemorySegment.copy(bytes, 0, memory, ValueLayout.JAVA_BYTE, at, bytes.length);
            buffers.add(memory, at, bytes.length);
            at += 16;
        }
    }

    private String get(long from, int length) {
        byte[] into = new byte[length];
        buffers.get(from, MemorySegment.ofArray(into), 0, length);
        return new String(into, StandardCharsets.US_ASCII);
    }
}
