package org.anyvirt.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every struct and constant of this module against the system's C headers. By convention a nested
 * class of integers is a struct, its SIZE and the offsets of its members; every other integer that
 * is not private is a constant of that name.
 */
class NativeLayoutsTest {
    private static final String HEADERS =
            """
            #define _GNU_SOURCE
            #include <errno.h>
            #include <fcntl.h>
            #include <linux/fs.h>
            #include <linux/io_uring.h>
            #include <linux/magic.h>
            #include <linux/time_types.h>
            #include <poll.h>
            #include <stddef.h>
            #include <stdio.h>
            #include <sys/epoll.h>
            #include <sys/eventfd.h>
            #include <sys/mman.h>
            #include <sys/socket.h>
            #include <sys/stat.h>
            #include <sys/syscall.h>
            #include <sys/time.h>
            #include <sys/uio.h>
            #include <sys/un.h>
            #include <sys/vfs.h>
            #ifndef BLOCK_URING_CMD_DISCARD /* linux/blkdev.h, from Linux 6.12 */
            #define BLOCK_URING_CMD_DISCARD _IO(0x12, 0)
            #endif
            int main(void) {
            """;

    /**
     * Of the kernel's net/scm.h, which is no header for programs; UnixSocketTest passes so many.
     */
    private static final Set<String> IN_NO_HEADER = Set.of("SCM_MAX_FD");

    private static final Map<String, String> OTHER_NAMES = Map.of("timespec", "__kernel_timespec");

    @TempDir Path directory;

    @Test
    void offsetsSizesAndConstantsAreThoseOfTheHeaders() throws Exception {
        Map<String, Long> ours = new TreeMap<>();
        for (Class<?> type : classes()) {
            addIntegers(type, ours);
        }
        Map<String, Long> headers = evaluate(ours.keySet());
        assertThat(ours).hasSizeGreaterThan(150);
        ours.keySet()
                .forEach(name -> assertThat(ours.get(name)).as(name).isEqualTo(headers.get(name)));
    }

    @Test
    void namesOfErrorsAreThoseOfTheHeaders() throws Exception {
        Map<String, Long> ours = new TreeMap<>();
        for (int errno = 1; errno < 200; errno++) {
            if (!Errno.name(errno).startsWith("errno ")) {
                ours.put(Errno.name(errno), (long) errno);
            }
        }
        assertThat(ours).hasSize(131);
        assertThat(evaluate(ours.keySet())).isEqualTo(ours);
    }

    private static List<Class<?>> classes() throws Exception {
        Path root = Path.of(Libc.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        try (Stream<Path> files = Files.list(root.resolve("org/anyvirt/linux"))) {
            List<Class<?>> classes = new ArrayList<>();
            for (Path file : files.sorted().toList()) {
                String name = file.getFileName().toString().replace(".class", "");
                if (!name.equals("package-info")) {
                    classes.add(Class.forName("org.anyvirt.linux." + name));
                }
            }
            return classes;
        }
    }

    private static void addIntegers(Class<?> type, Map<String, Long> integers) throws Exception {
        boolean isStruct = type.isMemberClass();
        for (Field field : type.getDeclaredFields()) {
            int modifiers = field.getModifiers();
            boolean isInteger =
                    Set.of(short.class, int.class, long.class).contains(field.getType());
            if (isInteger
                    && Modifier.isStatic(modifiers)
                    && !Modifier.isPrivate(modifiers)
                    && !IN_NO_HEADER.contains(field.getName())) {
                field.setAccessible(true);
                String name = isStruct ? member(type, field.getName()) : field.getName();
                // Flags of the highest bit are negative here and not in C.
                integers.put(name, field.getLong(null) & 0xffff_ffffL);
            }
        }
    }

    private static String member(Class<?> struct, String field) {
        String snake =
                struct.getSimpleName().replaceAll("(?<!^)([A-Z])", "_$1").toLowerCase(Locale.ROOT);
        String name = "struct " + OTHER_NAMES.getOrDefault(snake, snake);
        return field.equals("SIZE")
                ? "sizeof(%s)".formatted(name)
                : "offsetof(%s, %s)".formatted(name, field.toLowerCase(Locale.ROOT));
    }

    /** The low 32 bits of C expressions. */
    private Map<String, Long> evaluate(Set<String> expressions) throws Exception {
        StringBuilder program = new StringBuilder(HEADERS);
        for (String expression : expressions) {
            program.append(
                    "printf(\"%s=%%llu\\n\", (unsigned long long) (unsigned) (%s));\n"
                            .formatted(expression, expression));
        }
        Path source = directory.resolve("layouts.c");
        Files.writeString(source, program.append("return 0; }\n"));
        Path binary = directory.resolve("layouts");
        assumeTrue(isThereACompiler(), "there is no C compiler `cc` to ask the headers with");
        run("cc", "-o", binary.toString(), source.toString());
        Map<String, Long> values = new TreeMap<>();
        for (String line : run(binary.toString()).lines().toList()) {
            int equals = line.lastIndexOf('=');
            values.put(line.substring(0, equals), Long.parseLong(line.substring(equals + 1)));
        }
        return values;
    }

    private static boolean isThereACompiler() throws Exception {
        try {
            run("cc", "--version");
            return true;
        } catch (IOException absent) {
            return false;
        }
    }

    private static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }
}
