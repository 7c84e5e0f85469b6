package org.anyvirt.driver;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Who but ourselves has exercised a feature: our driver and our device can share a misreading.
 *
 * <p>Each test class leaves a fragment under {@code target/proof} of its module, one line a record,
 * its parts apart by a tab; from these the real-guest tests write {@code docs/proof.md}. A test
 * records when it has seen the feature at work, not before.
 */
public final class Proof {
    private static final Path FOLDER = Path.of(System.getProperty("anyvirt.proof", "target/proof"));
    private static final Map<String, Set<String>> LINES = new TreeMap<>();

    private Proof() {}

    /**
     * Records that a foreign program exercised a feature.
     *
     * @param feature in the specification's spelling where it has one
     * @param witness the program, such as {@code Linux virtio_blk}
     * @param version of the witness
     * @param test as {@code Class.method}; the fragment bears the class's name
     */
    public static synchronized void record(
            String feature, String witness, String version, String test) {
        String line = String.join("\t", feature, witness, version, test);
        String testClass = test.substring(0, test.indexOf('.'));
        Set<String> lines = LINES.computeIfAbsent(testClass, name -> new TreeSet<>());
        lines.add(line);
        try {
            Files.createDirectories(FOLDER);
            Files.write(FOLDER.resolve(testClass + ".tsv"), lines);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
