package org.anyvirt.e2e.house;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.anyvirt.e2e.guest.Places;
import org.anyvirt.e2e.house.Tidy.Finding;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every source of the repository follows the rules of the house; each rule can be broken. */
class TidyTest {
    private static final Set<String> NOT_OURS = Set.of(".git", ".anyvirt", "target", ".idea");

    @TempDir Path folder;

    @Test
    void everySourceIsTidy() throws IOException {
        Path root = Places.repository();
        List<Finding> findings = new ArrayList<>();
        List<Path> sources = sources(root);
        assertThat(sources).hasSizeGreaterThan(100);
        for (Path source : sources) {
            String path = root.relativize(source).toString();
            findings.addAll(Tidy.check(root, path, Files.readString(source)));
        }
        assertThat(findings).withFailMessage(() -> list(findings)).isEmpty();
    }

    private static String list(List<Finding> findings) {
        StringBuilder list = new StringBuilder();
        findings.forEach(finding -> list.append('\n').append(finding));
        return list.toString();
    }

    private static List<Path> sources(Path root) throws IOException {
        List<Path> sources = new ArrayList<>();
        Files.walkFileTree(
                root,
                new SimpleFileVisitor<>() {
                    @Override
                    public FileVisitResult preVisitDirectory(Path dir, BasicFileAttributes a) {
                        return NOT_OURS.contains(dir.getFileName().toString())
                                ? FileVisitResult.SKIP_SUBTREE
                                : FileVisitResult.CONTINUE;
                    }

                    @Override
                    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                        // A worktree's .git is a file; a log is not a source.
                        String name = file.getFileName().toString();
                        if (!name.equals(".git") && !name.endsWith(".log")) {
                            sources.add(file);
                        }
                        return FileVisitResult.CONTINUE;
                    }
                });
        return sources;
    }

    /** `+` stands for nothing, so that this file is tidy; `~` for a new line. */
    @ParameterizedTest(name = "{0}: {1}")
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    linux/A.java            | class A {~void a() { System.+out.println(); } }    | 2
                    e2e/src/test/A.java     | class A { void a() { Thread.+sleep(1); } }         | 1
                    docs/a.md               | a~~FIX+ME later                                    | 3
                    anyvirt                 | # TO+DO                                            | 1
                    docs/a.md               | see /ro+ot/notes                                   | 1
                    pom.xml                 | <a>/ho+me/me/jdk</a>                               | 1
                    virtio/A.java           | class QueueImp+l {}                                | 1
                    virtio/A.java           | class A {~class Util+s {} }                        | 2
                    virtio/A.java           | interface QueueMana+ger {}                         | 1
                    virtio/A.java           | record Virtio+Queue(int a) {}                      | 1
                    virtio/A.java           | class A { void a(int a,int b,int c,int d,int e,int f,int g){} } | 1
                    docs/a.md               | a~[there](../nothing.md)                           | 2
                    docs/a.md               | [there](here.md) [and](nowhere.md#at)              | 1
                    """)
    void findsWhatIsBroken(String path, String text, int line) throws IOException {
        Files.createDirectories(folder.resolve("docs"));
        Files.writeString(folder.resolve("docs/here.md"), "");
        String source = text.replace("+", "").replace('~', '\n');
        assertThat(Tidy.check(folder, path, source)).extracting(Finding::line).containsOnly(line);
    }

    /** The same, where it is allowed. */
    @ParameterizedTest(name = "{0}: {1}")
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    daemon/A.java           | class A { void a() { System.+out.println(); } }
                    linux/src/test/A.java   | class A { void a() { System.+out.println(); } }
                    linux/src/main/A.java   | class A { void a() { Thread.+sleep(1); } }
                    docs/a.md               | [here](here.md#top) [web](https://example.org/a) [below](#x)
                    e2e/guest/init          | mount /dev/vda $work/root/mnt
                    virtio/A.java           | class Virtqueue { Virtqueue(int a,int b,int c,int d,int e,int f,int g){} }
                    """)
    void leavesTheRestAlone(String path, String text) throws IOException {
        Files.createDirectories(folder.resolve("docs"));
        Files.writeString(folder.resolve("docs/here.md"), "");
        String source = text.replace("+", "").replace('~', '\n');
        assertThat(Tidy.check(folder, path, source)).isEmpty();
    }

    @Test
    void findsWhatIsTooLong() {
        String file = "class A {\n" + "\n".repeat(399) + "}\n";
        assertThat(find(file)).containsExactly("401 lines in a file, of 400");
        String line = "class A {} //" + " ".repeat(87) + "x\n";
        assertThat(find(line)).containsExactly("101 columns, of 100");
        String method = "class A {\nvoid a() {\n" + "\n".repeat(59) + "}\n}\n";
        assertThat(find(method)).containsExactly("61 lines in a method, of 60");
    }

    @Test
    void passesWhatIsJustShortEnough() {
        assertThat(find("class A {\n" + "\n".repeat(398) + "}\n")).isEmpty();
        assertThat(find("class A {} //" + " ".repeat(86) + "x\n")).isEmpty();
        assertThat(find("class A {\nvoid a() {\n" + "\n".repeat(58) + "}\n}\n")).isEmpty();
        String block = "class A { String a = \"\"\"\n" + "x".repeat(200) + "\n\"\"\"; }\n";
        assertThat(find(block)).isEmpty();
    }

    private List<String> find(String source) {
        return Tidy.check(folder, "virtio/A.java", source).stream().map(Finding::rule).toList();
    }
}
