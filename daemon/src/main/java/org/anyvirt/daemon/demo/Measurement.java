package org.anyvirt.daemon.demo;

import java.io.IOException;
import org.anyvirt.driver.block.BlockDriver;
import org.anyvirt.driver.block.BlockLoad;
import org.anyvirt.driver.block.BlockOptions;
import org.anyvirt.driver.block.LatencyHistogram;
import org.anyvirt.driver.block.LoadPlan;
import org.anyvirt.driver.block.LoadResult;

/** How fast it is, with what that means. */
final class Measurement {
    private static final long RANGE = 64 << 20;

    private final Story story;
    private final DemoDisk disk;
    private final DemoDisk nothing;
    private final int millis;

    /**
     * @param millis for each row of the table
     */
    Measurement(Story story, DemoDisk disk, DemoDisk nothing, int millis) {
        this.millis = millis;
        this.story = story;
        this.disk = disk;
        this.nothing = nothing;
    }

    void run() throws IOException {
        story.chapter("How fast");
        story.line("Driver and device share this machine's CPUs; there is no guest between them.");
        story.line(
                "The store \"%s\" answers at once: what is left is rings, sockets, threads.",
                "null");
        if (disk.image() != null) {
            story.line("The file is in the page cache: its numbers are not those of a disk.");
        }
        story.line("");
        story.line(
                "%-28s %5s %10s %9s %9s %9s",
                "store, requests", "depth", "IOPS", "MiB/s", "p50 us", "p99 us");
        measure(nothing, "null", 1);
        measure(nothing, "null", 32);
        measure(disk, disk.image() == null ? "memory" : "file", 1);
        measure(disk, disk.image() == null ? "memory" : "file", 32);
    }

    private void measure(DemoDisk of, String store, int depth) throws IOException {
        try (BlockDriver driver = of.drive(BlockOptions.defaults())) {
            LoadPlan write = LoadPlan.random(0, 4096, depth, RANGE);
            LoadPlan read = LoadPlan.random(100, 4096, depth, RANGE);
            LoadPlan large = LoadPlan.sequential(100, 65536, depth, RANGE);
            new BlockLoad(write.withMillis(millis), driver.queue(0)).run();
            row(store + ", 4 KiB writes", depth, run(write, driver));
            row(store + ", 4 KiB reads", depth, run(read, driver));
            if (depth > 1) {
                row(store + ", 64 KiB reads in order", depth, run(large, driver));
            }
        }
    }

    private LoadResult run(LoadPlan plan, BlockDriver driver) {
        return new BlockLoad(plan.withMillis(millis), driver.queue(0)).run();
    }

    private void row(String what, int depth, LoadResult result) {
        LatencyHistogram latency = result.latency();
        story.line(
                "%-28s %5d %,10.0f %,9.0f %,9.1f %,9.1f%s",
                what,
                depth,
                result.iops(),
                result.bytesPerSecond() / (1 << 20),
                latency.percentileNanos(50) / 1e3,
                latency.percentileNanos(99) / 1e3,
                result.firstProblem() == null ? "" : "  " + result.firstProblem());
    }
}
