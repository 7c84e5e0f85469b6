package org.anyvirt.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.anyvirt.e2e.ProofPage.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProofPageTest {
    private static final Row FLUSH = new Row("FLUSH", "Linux", "6.1", "DiskTest.flushes");
    private static final Row READ = new Row("READ", "Linux", "6.1", "DiskTest.reads");
    private static final Row READ_BY_BIOS = new Row("READ", "SeaBIOS", "1.16", "BootTest.boots");
    private static final Row READ_AGAIN = new Row("READ", "Linux", "6.1", "FioTest.verifies");

    @TempDir Path folder;

    @Test
    void hasARowAFeatureAndWitness() {
        String page = new ProofPage(List.of(READ_AGAIN, READ_BY_BIOS, FLUSH, READ)).render();
        assertThat(page)
                .endsWith(
                        """
                        | FLUSH | Linux 6.1 | DiskTest.flushes |
                        | READ | Linux 6.1 | DiskTest.reads, FioTest.verifies |
                        |  | SeaBIOS 1.16 | BootTest.boots |
                        """);
    }

    @Test
    void doesNotDependOnTheOrderOfTheTests() {
        String page = new ProofPage(List.of(READ, READ_BY_BIOS, FLUSH)).render();
        assertThat(new ProofPage(List.of(FLUSH, READ_BY_BIOS, READ, READ)).render())
                .isEqualTo(page);
    }

    @Test
    void namesWhatHasNoWitness() {
        ProofPage page = new ProofPage(List.of(FLUSH));
        assertThat(page.unwitnessed(List.of("READ", "FLUSH", "DISCARD")))
                .containsExactly("DISCARD", "READ");
    }

    @Test
    void readsWhatEachModuleHasLeft() throws IOException {
        fragment("driver", "A", "FLUSH\tLinux\t6.1\tDiskTest.flushes\n");
        fragment("e2e", "B", "READ\tLinux\t6.1\tDiskTest.reads\n");
        Files.createDirectories(folder.resolve("virtio/target"));
        assertThat(ProofPage.read(folder).render())
                .isEqualTo(new ProofPage(List.of(READ, FLUSH)).render());
    }

    @Test
    void refusesARecordThatIsCutShort() throws IOException {
        fragment("e2e", "B", "READ\tLinux\n");
        assertThatThrownBy(() -> ProofPage.read(folder)).hasMessageContaining("READ\tLinux");
    }

    private void fragment(String module, String name, String text) throws IOException {
        Path proof = Files.createDirectories(folder.resolve(module).resolve("target/proof"));
        Files.writeString(proof.resolve(name + ".tsv"), text);
    }
}
