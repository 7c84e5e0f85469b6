package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class MappingTest {
    private static final int PAGE = Libc.getpagesize();

    @Test
    void twoMappingsOfAMemfdShareTheirPages() throws Exception {
        try (Fd fd = Memfd.create("shared", 2L * PAGE);
                Mapping one = Mapping.of(fd, 0, 2L * PAGE, true);
                Mapping two = Mapping.of(fd, PAGE, PAGE, true)) {
            one.memory().set(JAVA_LONG, PAGE + 8, 0x1122334455667788L);
            assertThat(two.memory().get(JAVA_LONG, 8)).isEqualTo(0x1122334455667788L);
            assertThat(two.memory().address()).isNotEqualTo(one.memory().address() + PAGE);
        }
    }

    @Test
    void mapsFromAnOffsetThatIsNotAligned() throws Exception {
        try (Fd fd = Memfd.create("unaligned", 3L * PAGE);
                Mapping whole = Mapping.of(fd, 0, 3L * PAGE, true);
                Mapping part = Mapping.of(fd, PAGE + 100, PAGE + 7, true)) {
            assertThat(part.memory().byteSize()).isEqualTo(PAGE + 7);
            part.memory().set(JAVA_LONG_UNALIGNED, 1, 42);
            part.memory().set(JAVA_BYTE, PAGE + 6, (byte) 9);
            assertThat(whole.memory().get(JAVA_LONG_UNALIGNED, PAGE + 101)).isEqualTo(42);
            assertThat(whole.memory().get(JAVA_BYTE, 2L * PAGE + 106)).isEqualTo((byte) 9);
            assertThatThrownBy(() -> part.memory().get(JAVA_BYTE, PAGE + 7))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    void aReadOnlyMappingCannotBeWritten() throws Exception {
        try (Fd fd = Memfd.create("read-only", PAGE);
                Mapping mapping = Mapping.of(fd, 0, PAGE, false)) {
            assertThat(mapping.memory().isReadOnly()).isTrue();
            assertThat(mapping.memory().get(JAVA_BYTE, 0)).isZero();
        }
    }

    @Test
    void closingUnmapsAndKillsTheMemory() throws Exception {
        try (Fd fd = Memfd.create("unmapped", PAGE)) {
            Mapping mapping = Mapping.of(fd, 0, PAGE, true);
            MemorySegment memory = mapping.memory();
            assertThat(mappingsOf("unmapped")).isEqualTo(1);
            mapping.close();
            mapping.close();
            assertThat(mappingsOf("unmapped")).isZero();
            assertThatThrownBy(() -> memory.get(JAVA_BYTE, 0))
                    .isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void anonymousMemoryIsZeroAlignedAndWritable() throws Exception {
        try (Mapping mapping = Mapping.anonymous(PAGE + 1)) {
            assertThat(mapping.memory().address() % PAGE).isZero();
            assertThat(mapping.memory().byteSize()).isEqualTo(PAGE + 1);
            assertThat(mapping.memory().get(JAVA_BYTE, PAGE)).isZero();
            mapping.memory().fill((byte) 1);
        }
    }

    @Test
    void aRefusedMappingSaysWhatWasAsked() throws Exception {
        try (Fd fd = Memfd.create("huge", PAGE)) {
            assertThatThrownBy(() -> Mapping.of(fd, 0, Long.MAX_VALUE, true))
                    .isInstanceOf(ErrnoException.class)
                    .hasMessageMatching(
                            "mmap: ENOMEM \\(.*\\): 9223372036854775807 bytes at offset 0 of fd"
                                    + " \\d+");
            assertThatThrownBy(() -> Mapping.of(fd, Long.MAX_VALUE, PAGE, true))
                    .isInstanceOf(ErrnoException.class)
                    .hasMessageContaining("at offset 9223372036854775807");
            assertThatThrownBy(() -> Mapping.of(fd, 0, 0, true))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> Mapping.of(fd, -1, 1, true))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> Mapping.anonymous(1L << 62))
                .isInstanceOf(ErrnoException.class)
                .hasMessageContaining("anonymous");
    }

    @Test
    void aSocketCannotBeMapped() throws Exception {
        try (Fd socket = UnixAddress.socket()) {
            assertThatThrownBy(() -> Mapping.of(socket, 0, PAGE, true))
                    .isInstanceOf(ErrnoException.class)
                    .hasMessageStartingWith("mmap: ENODEV");
        }
    }

    @Test
    void mapsHugePagesInWholeOnes() throws Exception {
        String free =
                Files.readAllLines(Path.of("/proc/meminfo")).stream()
                        .filter(line -> line.startsWith("HugePages_Free"))
                        .findFirst()
                        .orElse("HugePages_Free: 0");
        assumeTrue(!free.endsWith(" 0"), "no huge pages are reserved (vm.nr_hugepages)");
        int hugetlb = 4; // MFD_HUGETLB
        try (Arena arena = Arena.ofConfined();
                Fd fd = new Fd(Libc.memfdCreate(arena.allocateFrom("huge-pages"), hugetlb))) {
            OpenFile.truncate(fd, 2 << 20);
            try (Mapping mapping = Mapping.of(fd, 0xc0000, 0x1000, true)) {
                mapping.memory().set(JAVA_LONG, 0, 7);
            }
            assertThat(mappingsOf("huge-pages")).isZero();
        }
    }

    @Test
    void aSealedMemfdCannotShrink() throws Exception {
        try (Fd fd = Memfd.create("sealed", PAGE)) {
            assertThat(Memfd.seals(fd)).isZero();
            Memfd.seal(fd, Memfd.F_SEAL_SHRINK | Memfd.F_SEAL_SEAL);
            assertThat(Memfd.seals(fd)).isEqualTo(Memfd.F_SEAL_SHRINK | Memfd.F_SEAL_SEAL);
            assertThatThrownBy(() -> OpenFile.truncate(fd, 0))
                    .isInstanceOf(ErrnoException.class)
                    .hasMessageStartingWith("ftruncate: EPERM");
            assertThatThrownBy(() -> Memfd.seal(fd, Memfd.F_SEAL_GROW))
                    .isInstanceOf(ErrnoException.class)
                    .hasMessageStartingWith("fcntl(F_ADD_SEALS): EPERM");
        }
    }

    @Test
    void aMemfdThatCannotBeSizedLeavesNoDescriptor() {
        assertThatThrownBy(() -> Memfd.create("negative", -1)).isInstanceOf(ErrnoException.class);
        assertThat(OpenDescriptors.to("memfd:negative")).isZero();
    }

    private static long mappingsOf(String memfd) throws Exception {
        return Files.readAllLines(Path.of("/proc/self/maps")).stream()
                .filter(line -> line.contains("memfd:" + memfd))
                .count();
    }
}
