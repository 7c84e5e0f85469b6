package org.anyvirt.transports;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * What this process holds of the kernel: to compare before and after.
 *
 * @param descriptors by number, what each is
 * @param memfdMappings lines of {@code /proc/self/maps} that name a memfd
 */
public record ProcessResources(Map<String, String> descriptors, List<String> memfdMappings) {
    public static ProcessResources now() {
        return new ProcessResources(descriptorsNow(), mappingsNow());
    }

    /** Fails unless everything taken since has been given back. */
    public void assertBack() {
        Await.until(
                "descriptors back to " + descriptors + ", now " + descriptorsNow(),
                () -> {
                    return descriptorsNow().equals(descriptors);
                });
        Await.until(
                "mappings back to " + memfdMappings + ", now " + mappingsNow(),
                () -> {
                    return mappingsNow().equals(memfdMappings);
                });
    }

    private static Map<String, String> descriptorsNow() {
        Map<String, String> found = new TreeMap<>();
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            all.forEach(fd -> {
                try {
                    String target = Files.readSymbolicLink(fd).toString();
                    // Whatever looks is itself open, and the JVM opens its own files.
                    if (!target.startsWith("/")) {
                        found.put(fd.getFileName().toString(), target);
                    }
                } catch (NoSuchFileException closedMeanwhile) {
                    // gone
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return found;
    }

    private static List<String> mappingsNow() {
        try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
            return maps.filter(line -> line.contains("memfd")).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
