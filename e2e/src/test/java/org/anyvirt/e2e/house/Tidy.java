package org.anyvirt.e2e.house;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The rules of the house that a machine can see. */
final class Tidy {
    private static final int FILE_LINES_MAX = 400;
    private static final int METHOD_LINES_MAX = 60;
    private static final int LINE_COLUMNS_MAX = 100;
    private static final int PARAMETERS_MAX = 6;
    private static final Pattern POOR_NAME =
            Pattern.compile(".*(Impl|Managers?|Utils?|Helpers?)|V(irtIO|irtIo|irtio|IRTIO)[A-Z].*");
    private static final Pattern LINK = Pattern.compile("\\]\\(([^)#\\s]*)(#[^)]*)?\\)");
    private static final String TEXT_BLOCK = "\"\"\"";

    /**
     * A place that breaks a rule.
     *
     * @param line from 1
     */
    record Finding(String path, int line, String rule, String why) {
        @Override
        public String toString() {
            return path + ":" + line + ": " + rule + ", " + why;
        }
    }

    /** A rule that looks at one line. */
    private record Banned(Pattern pattern, Predicate<String> where, String rule, String why) {}

    private static final Predicate<String> ANYWHERE = path -> true;
    private static final Predicate<String> JAVA = path -> path.endsWith(".java");
    private static final Predicate<String> TEST = path -> path.contains("src/test/");

    // Written so that none of these finds itself.
    private static final List<Banned> BANNED =
            List.of(
                    new Banned(
                            Pattern.compile("\\bSystem\\s*\\.\\s*(out|err)\\b"),
                            JAVA.and(TEST.negate()).and(path -> !path.matches("(daemon|bench).*")),
                            "no standard output",
                            "a library logs through System.Logger; commands print, and tests their"
                                    + " seed"),
                    new Banned(
                            Pattern.compile("\\bThread\\s*\\.\\s*sleep\\b"),
                            JAVA.and(TEST),
                            "no sleep in a test",
                            "it is too short on a slow machine and too long on a quick one"),
                    new Banned(
                            Pattern.compile("\\b(TO[D]O|FIX[M]E|X[X]X)\\b"),
                            ANYWHERE,
                            "no note to self",
                            "what is left to do is an issue, not a comment"),
                    new Banned(
                            Pattern.compile("(?<![\\w.}])/(work|root|home|Users)/|\\.\\./[s]hared"),
                            ANYWHERE,
                            "no path of one machine",
                            "the next machine does not have it"));

    private Tidy() {}

    /**
     * Looks at one file.
     *
     * @param root of the repository, to resolve links
     * @param path of the file, relative to the root
     */
    static List<Finding> check(Path root, String path, String text) {
        List<Finding> findings = new ArrayList<>();
        List<String> lines = text.lines().toList();
        for (Banned banned : BANNED) {
            if (banned.where.test(path)) {
                each(
                        lines,
                        (line, number) -> {
                            if (banned.pattern.matcher(line).find()) {
                                findings.add(new Finding(path, number, banned.rule, banned.why));
                            }
                        });
            }
        }
        if (JAVA.test(path)) {
            sizes(path, lines, findings);
            shapes(path, JavaSource.parse(text), findings);
        }
        if (path.endsWith(".md")) {
            links(root, path, lines, findings);
        }
        return findings;
    }

    private static void sizes(String path, List<String> lines, List<Finding> findings) {
        if (lines.size() > FILE_LINES_MAX) {
            String rule = lines.size() + " lines in a file, of " + FILE_LINES_MAX;
            findings.add(new Finding(path, lines.size(), rule, "split it where it has two ideas"));
        }
        boolean[] verbatim = new boolean[1];
        each(
                lines,
                (line, number) -> {
                    // The formatter leaves imports and text blocks as long as they are.
                    boolean skip = verbatim[0] || line.startsWith("import ");
                    if (line.split(TEXT_BLOCK, -1).length % 2 == 0) {
                        verbatim[0] = !verbatim[0];
                    }
                    if (!skip && line.length() > LINE_COLUMNS_MAX) {
                        String rule = line.length() + " columns, of " + LINE_COLUMNS_MAX;
                        findings.add(new Finding(path, number, rule, "two files fit side by side"));
                    }
                });
    }

    private static void shapes(String path, JavaSource source, List<Finding> findings) {
        for (JavaSource.Type type : source.types()) {
            if (POOR_NAME.matcher(type.name()).matches()) {
                String rule = "no name such as " + type.name();
                String why = "say what it is; the package says that it is ours";
                findings.add(new Finding(path, type.line(), rule, why));
            }
        }
        for (JavaSource.Method method : source.methods()) {
            if (method.lines() > METHOD_LINES_MAX) {
                String rule = method.lines() + " lines in a method, of " + METHOD_LINES_MAX;
                String why = method.name() + " does not fit a screen";
                findings.add(new Finding(path, method.line(), rule, why));
            }
            // A system call has as many as the kernel gives it.
            boolean free = method.constructor() || path.startsWith("linux/");
            if (!free && method.parameters() > PARAMETERS_MAX) {
                String rule = method.parameters() + " parameters, of " + PARAMETERS_MAX;
                String why = method.name() + " wants a record";
                findings.add(new Finding(path, method.line(), rule, why));
            }
        }
    }

    private static void links(Path root, String path, List<String> lines, List<Finding> findings) {
        Path folder = root.resolve(path).getParent();
        each(
                lines,
                (line, number) -> {
                    Matcher link = LINK.matcher(line);
                    while (link.find()) {
                        String target = link.group(1);
                        boolean elsewhere = target.isEmpty() || target.matches("[a-z]+:.*");
                        if (!elsewhere && !Files.exists(folder.resolve(target))) {
                            String why = "a reader would find nothing at " + target;
                            findings.add(new Finding(path, number, "links lead somewhere", why));
                        }
                    }
                });
    }

    private static void each(List<String> lines, BiConsumer<String, Integer> look) {
        for (int i = 0; i < lines.size(); i++) {
            look.accept(lines.get(i), i + 1);
        }
    }
}
