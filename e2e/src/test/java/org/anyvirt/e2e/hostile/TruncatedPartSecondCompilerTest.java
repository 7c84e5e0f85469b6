package org.anyvirt.e2e.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.anyvirt.driver.block.BlockDriver;
import org.anyvirt.driver.block.BlockLoad;
import org.anyvirt.driver.block.LoadPlan;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.extension.RegisterExtension;

/** In what the second compiler makes of methods that have run very often. */
class TruncatedPartSecondCompilerTest extends TruncatedPartContract {
    @RegisterExtension
    static final ServedDisks DISKS =
            new ServedDisks("second-compiler", "disk").withJvm("-XX:-TieredCompilation");

    TruncatedPartSecondCompilerTest() {
        super(DISKS);
    }

    @BeforeAll
    static void compile() throws IOException {
        for (boolean packed : new boolean[] {false, true}) {
            try (BlockDriver driver = HonestSession.start(DISKS.socket("disk"), packed)) {
                LoadPlan plan =
                        LoadPlan.random(50, 512, 4, 1 << 20)
                                .withRange(HonestSession.TARGET, 1 << 20)
                                .withRequests(300_000);
                assertThat(new BlockLoad(plan, driver.queue(0)).run().errors()).isZero();
            }
        }
    }
}
