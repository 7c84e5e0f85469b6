package org.anyvirt.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.anyvirt.storage.file.FileStore;
import org.anyvirt.storage.memory.MemoryStore;
import org.anyvirt.storage.zero.ZeroStore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class StoresTest {
    @Test
    void takesStoresAsPeopleWriteThem() {
        assertThat(Stores.parse("file:disk.img"))
                .isEqualTo(new FileStore.Options(Path.of("disk.img"), false, null, false));
        assertThat(Stores.parse("file:/a b/c:d.img,direct=on,size=10G,read-only=off"))
                .isEqualTo(new FileStore.Options(Path.of("/a b/c:d.img"), true, 10L << 30, false));
        assertThat(Stores.parse("file:a,,b,,.img,read-only=on"))
                .isEqualTo(new FileStore.Options(Path.of("a,b,.img"), false, null, true));
        assertThat(Stores.parse("memory:64M")).isEqualTo(new MemoryStore.Options(64 << 20));
        assertThat(Stores.parse("zero:1T")).isEqualTo(new ZeroStore.Options(1L << 40, true));
        assertThat(Stores.parse("zero:512,fill=off")).isEqualTo(new ZeroStore.Options(512, false));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "disk.img|file:PATH, memory:SIZE or zero:SIZE is expected",
                "''|file:PATH, memory:SIZE or zero:SIZE is expected",
                "qcow2:a|file:PATH, memory:SIZE or zero:SIZE is expected",
                "file:|a path is expected after \"file:\"",
                "file|a path is expected after \"file:\"",
                "memory:|a size is expected after \"memory:\"",
                "memory:5|\"5\": a multiple of 512 bytes is expected, such as 65536, 512K, 64M, 10G"
                        + " or 1T",
                "file:a,direct|\"direct\": key=value is expected",
                "file:a,=on|\"=on\": key=value is expected",
                "file:a,direct=yes|direct=yes: on or off is expected",
                "file:a,driect=on|unknown key driect: file takes direct, size, read-only",
                "file:a,size=10X|size=\"10X\": a multiple of 512 bytes is expected, such as 65536,"
                        + " 512K, 64M, 10G or 1T",
                "file:a,size=1M,size=1M|size is given twice",
                "memory:1M,fill=on|unknown key fill: memory takes none",
            })
    void namesWhatIsWrong(String text, String why) {
        assertThatThrownBy(() -> Stores.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("store \"%s\": %s".formatted(text, why));
    }

    @ParameterizedTest
    @CsvSource({
        "512, 512",
        "1K, 1024",
        "64M, 67108864",
        "10G, 10737418240",
        "3T, 3298534883328",
        "1536, 1536",
        "8388607T, 9223370937343148032",
    })
    void readsSizes(String text, long size) {
        assertThat(ByteSize.parse(text)).isEqualTo(size);
        assertThat(ByteSize.parse(ByteSize.format(size))).isEqualTo(size);
    }

    @Test
    void writesTheShortestSize() {
        assertThat(ByteSize.format(512)).isEqualTo("512");
        assertThat(ByteSize.format(1536)).isEqualTo("1536");
        assertThat(ByteSize.format(1536 << 10)).isEqualTo("1536K");
        assertThat(ByteSize.format(2048L << 40)).isEqualTo("2048T");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "0",
                "-512",
                "1",
                "513",
                "1k",
                "1.5G",
                "G",
                "10GB",
                " 1M",
                "8388608T",
                "99999999999999999999",
                "٥١٢",
            })
    void refusesWhatIsNoSize(String text) {
        assertThatThrownBy(() -> ByteSize.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("\"" + text + "\": a multiple of 512 bytes is expected");
    }
}
