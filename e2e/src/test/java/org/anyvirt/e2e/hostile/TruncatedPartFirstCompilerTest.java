package org.anyvirt.e2e.hostile;

import org.junit.jupiter.api.extension.RegisterExtension;

/** In what the first compiler makes, and before anything ran often enough for it. */
class TruncatedPartFirstCompilerTest extends TruncatedPartContract {
    @RegisterExtension
    static final ServedDisks DISKS =
            new ServedDisks("first-compiler", "disk")
                    .withJvm("-XX:TieredStopAtLevel=1", "-Xbatch", "-Xcomp");

    TruncatedPartFirstCompilerTest() {
        super(DISKS);
    }
}
