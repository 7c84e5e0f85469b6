package org.anyvirt.e2e.hostile;

import org.junit.jupiter.api.extension.RegisterExtension;

/** Before anything is compiled. */
class TruncatedPartInterpretedTest extends TruncatedPartContract {
    @RegisterExtension
    static final ServedDisks DISKS = new ServedDisks("interpreted", "disk").withJvm("-Xint");

    TruncatedPartInterpretedTest() {
        super(DISKS);
    }
}
