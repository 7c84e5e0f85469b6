package org.anyvirt.e2e.guest;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** Where the tests find and put things. */
public final class Places {
    private Places() {}

    /** The root of the repository. */
    public static Path repository() {
        Path folder = Path.of("").toAbsolutePath();
        while (!Files.exists(folder.resolve("mvnw"))) {
            folder = folder.getParent();
            if (folder == null) {
                throw new AssertionError("no mvnw above the working directory");
            }
        }
        return folder;
    }

    /** Logs of guests and backends; they stay until the next run. */
    public static Path logs() throws IOException {
        return Files.createDirectories(repository().resolve("e2e/target/guests"));
    }

    /** A folder with a short name: a Unix socket's path has at most 107 bytes. */
    public static Path shortFolder() throws IOException {
        return Files.createTempDirectory("anyvirt");
    }

    public static void delete(Path folder) throws IOException {
        List<Path> files;
        try (Stream<Path> walk = Files.walk(folder)) {
            files = walk.sorted(Comparator.reverseOrder()).toList();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        for (Path file : files) {
            Files.deleteIfExists(file);
        }
    }
}
