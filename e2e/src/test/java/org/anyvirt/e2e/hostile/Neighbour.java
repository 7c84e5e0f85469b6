package org.anyvirt.e2e.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.anyvirt.driver.block.BlockDriver;
import org.anyvirt.driver.block.BlockLoad;
import org.anyvirt.driver.block.BlockOptions;
import org.anyvirt.driver.block.LoadPlan;
import org.anyvirt.driver.block.LoadResult;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.vhostuser.VhostUserDevice;
import org.anyvirt.driver.vhostuser.VhostUserOptions;

/**
 * An honest driver of another disk of the daemon under attack, in one session from start to end,
 * with every block read compared to what was written.
 */
final class Neighbour {
    private static final int BLOCK = 4096;
    private static final long RANGE_AT = 16L << 20;
    private static final long RANGE_SIZE = 8L << 20;
    private static final int REQUESTS = 200;

    private final BlockDriver driver;
    private final AtomicLong served = new AtomicLong();
    private final FutureTask<Void> task = new FutureTask<>(this::drive, null);
    private volatile boolean stopping;

    Neighbour(Path socket) throws IOException {
        VhostUserDevice device =
                VhostUserDevice.connect(
                        socket, GuestMemory.ofSize(4 << 20), VhostUserOptions.DEFAULT);
        // It leaves most of the processor to the attack.
        driver =
                BlockDriver.start(
                        device,
                        BlockOptions.defaults()
                                .withDepth(4)
                                .withBuffers(BLOCK, BLOCK)
                                .withSpinNanos(0));
        Thread.ofPlatform().daemon().name("neighbour").start(task);
    }

    private void drive() {
        for (long round = 0; !stopping; round++) {
            LoadPlan plan =
                    LoadPlan.random(50, BLOCK, 2, RANGE_SIZE)
                            .withRange(RANGE_AT, RANGE_SIZE)
                            .withRequests(REQUESTS)
                            .withVerify(true)
                            .withSeed(round);
            LoadResult result = new BlockLoad(plan, driver.queue(0)).run();
            assertThat(result.firstProblem()).as("round " + round).isNull();
            served.addAndGet(result.requests());
        }
    }

    /** Waits until it has been served some more. */
    void assertGoesOn() throws IOException {
        long before = served.get();
        assertThat(Patience.until(() -> task.isDone() || served.get() >= before + REQUESTS))
                .as("the neighbour is served")
                .isTrue();
        assertThat(task.isDone()).as("the neighbour had to stop").isFalse();
    }

    /** Ends, and fails if anything was not as it should be. */
    void stop() throws Exception {
        stopping = true;
        try {
            task.get(Patience.MILLIS, TimeUnit.MILLISECONDS);
        } finally {
            driver.close();
        }
    }
}
