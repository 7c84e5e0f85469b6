package org.anyvirt.e2e;

import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.joining;
import static java.util.stream.Collectors.toList;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/** What `docs/proof.md` is made of: the records that the tests of all modules have left. */
final class ProofPage {
    private static final String HEAD =
            """
            # Proof

            Our driver and our device can share a misreading of the specification, so each feature has a
            witness that is not ours: a program that has exercised it. The tests write this page
            (`./anyvirt test`), each row when it has seen the feature at work. A feature without a witness
            is off by default; a test compares this page with what the daemon offers.

            | feature | witness | test |
            |---|---|---|
            """;

    private final SortedSet<Row> rows = new TreeSet<>();

    /** One record, as {@link org.anyvirt.driver.Proof} writes it. */
    record Row(String feature, String witness, String version, String test)
            implements Comparable<Row> {
        static Row of(String line) {
            String[] parts = line.split("\t");
            if (parts.length != 4) {
                throw new IllegalArgumentException("not four parts: " + line);
            }
            return new Row(parts[0], parts[1], parts[2], parts[3]);
        }

        @Override
        public int compareTo(Row other) {
            return key().compareTo(other.key());
        }

        private String key() {
            return String.join("\t", feature, witness, version, test);
        }
    }

    ProofPage(Collection<Row> rows) {
        this.rows.addAll(rows);
    }

    /** Reads what the tests of each module have left. */
    static ProofPage read(Path repository) throws IOException {
        ProofPage page = new ProofPage(List.of());
        try (Stream<Path> modules = Files.list(repository)) {
            for (Path folder : modules.map(m -> m.resolve("target/proof")).toList()) {
                if (Files.isDirectory(folder)) {
                    page.addFragments(folder);
                }
            }
        }
        return page;
    }

    private void addFragments(Path folder) throws IOException {
        try (Stream<Path> fragments = Files.list(folder)) {
            for (Path fragment : fragments.filter(f -> f.toString().endsWith(".tsv")).toList()) {
                Files.readAllLines(fragment).forEach(line -> rows.add(Row.of(line)));
            }
        }
    }

    /** Of these features, those that nobody has exercised. */
    SortedSet<String> unwitnessed(Collection<String> features) {
        SortedSet<String> missing = new TreeSet<>(features);
        rows.forEach(row -> missing.remove(row.feature));
        return missing;
    }

    /** The page: sorted, and without a date, so that it changes only with what it says. */
    String render() {
        StringBuilder page = new StringBuilder(HEAD);
        String above = "";
        for (List<Row> group : byWitness()) {
            Row first = group.getFirst();
            String tests = group.stream().map(Row::test).distinct().collect(joining(", "));
            String feature = first.feature.equals(above) ? "" : first.feature;
            page.append(
                    "| %s | %s %s | %s |\n"
                            .formatted(feature, first.witness, first.version, tests));
            above = first.feature;
        }
        return page.toString();
    }

    private Collection<List<Row>> byWitness() {
        return rows.stream()
                .collect(
                        groupingBy(
                                row -> String.join("\t", row.feature, row.witness, row.version),
                                TreeMap::new,
                                toList()))
                .values();
    }
}
