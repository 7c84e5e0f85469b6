package org.anyvirt.linux;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Counts this process's descriptors by what they refer to, as the JVM opens others at any time. */
final class OpenDescriptors {
    private OpenDescriptors() {}

    /**
     * Descriptors whose link in /proc/self/fd contains {@code target}, such as {@code memfd:name}.
     */
    static long to(String target) {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors.filter(fd -> link(fd).contains(target)).count();
        } catch (IOException failed) {
            throw new UncheckedIOException(failed);
        }
    }

    private static String link(Path fd) {
        try {
            return Files.readSymbolicLink(fd).toString();
        } catch (IOException closedMeanwhile) {
            return "";
        }
    }
}
