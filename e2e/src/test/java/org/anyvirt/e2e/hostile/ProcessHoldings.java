package org.anyvirt.e2e.hostile;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * What a process holds of the kernel, as {@code /proc} tells it: to compare before and after.
 *
 * @param descriptors open file descriptors, by what they are
 * @param sharedBytes bytes of shared mappings, by file; in bytes, since the kernel merges
 *     neighbours
 * @param threads by name, but for those that the JVM starts and stops as it sees fit
 */
record ProcessHoldings(
        Map<String, Long> descriptors, Map<String, Long> sharedBytes, Map<String, Long> threads) {
    private static final List<String> THREADS_OF_THE_JVM =
            List.of(
                    "C1 ",
                    "C2 ",
                    "G1 ",
                    "GC ",
                    "VM ",
                    "Sweeper",
                    "StringDedup",
                    "Common-Cleaner",
                    "Cleaner-",
                    "Attach Listener",
                    "process reaper",
                    "ForkJoinPool",
                    "VirtualThread-");

    static ProcessHoldings of(long pid) throws IOException {
        Path process = Path.of("/proc", Long.toString(pid));
        return new ProcessHoldings(descriptors(process), sharedBytes(process), threads(process));
    }

    private static Map<String, Long> descriptors(Path process) throws IOException {
        Map<String, Long> found = new TreeMap<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(process.resolve("fd"))) {
            for (Path one : all) {
                String target = Files.readSymbolicLink(one).toString();
                // The JVM opens a jar when it first needs a class out of it.
                if (!target.endsWith(".jar")) {
                    found.merge(kind(target), 1L, Long::sum);
                }
            }
        } catch (NoSuchFileException closedMeanwhile) {
            return descriptors(process);
        }
        return found;
    }

    /** Without the inode: {@code socket:[4711]} is a {@code socket}. */
    private static String kind(String target) {
        int inode = target.indexOf(":[");
        return inode >= 0 && !target.startsWith("anon_inode") ? target.substring(0, inode) : target;
    }

    private static Map<String, Long> sharedBytes(Path process) throws IOException {
        Map<String, Long> found = new TreeMap<>();
        try (Stream<String> lines = Files.lines(process.resolve("maps"))) {
            lines.forEach(line -> {
                // address-range perms offset device inode pathname
                String[] fields = line.split(" +", 6);
                if (fields[1].endsWith("s")) {
                    String[] range = fields[0].split("-");
                    long size =
                            Long.parseUnsignedLong(range[1], 16)
                                    - Long.parseUnsignedLong(range[0], 16);
                    found.merge(fields.length < 6 ? "" : fields[5], size, Long::sum);
                }
            });
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        return found;
    }

    private static Map<String, Long> threads(Path process) throws IOException {
        Map<String, Long> found = new TreeMap<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(process.resolve("task"))) {
            for (Path one : all) {
                String name = Files.readString(one.resolve("comm")).strip();
                if (THREADS_OF_THE_JVM.stream().noneMatch(name::startsWith)) {
                    found.merge(name, 1L, Long::sum);
                }
            }
        } catch (NoSuchFileException endedMeanwhile) {
            return threads(process);
        } catch (IOException e) {
            // A thread that ends while its name is read answers ESRCH.
            if (String.valueOf(e.getMessage()).contains("No such process")) {
                return threads(process);
            }
            throw e;
        }
        return found;
    }
}
