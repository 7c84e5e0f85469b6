package org.anyvirt.daemon.demo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The machine that this runs on, for the reader of the numbers. */
final class Host {
    private Host() {}

    static String describe() {
        int cpus = Runtime.getRuntime().availableProcessors();
        return "%s, %d CPU%s, Linux %s, Java %s"
                .formatted(
                        processor(),
                        cpus,
                        cpus == 1 ? "" : "s",
                        System.getProperty("os.version"),
                        System.getProperty("java.version"));
    }

    private static String processor() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(line -> line.startsWith("model name"))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst()
                    .orElse(System.getProperty("os.arch"));
        } catch (IOException e) {
            return System.getProperty("os.arch");
        }
    }
}
