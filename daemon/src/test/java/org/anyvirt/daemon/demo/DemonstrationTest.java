package org.anyvirt.daemon.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
final class DemonstrationTest {
    @TempDir Path folder;

    @Test
    void showsThatWhatGoesInComesOut() throws Exception {
        StringWriter out = new StringWriter();
        assertThat(new Demonstration(new PrintWriter(out), folder).run(50, false)).isTrue();
        assertThat(out.toString())
                .contains("split rings", "packed rings", "0 errors, 0 mismatches", "the driver was")
                .contains("All of it was right.")
                .doesNotContain("DIFFERENT", "NOT", "WRONG");
        assertThat(out.toString().lines().filter(line -> line.endsWith("  same"))).hasSize(4);
        assertThat(folder.resolve("disk.sock")).doesNotExist();
    }
}
