package org.anyvirt.benchmarks;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.anyvirt.benchmarks.Scenario.StoreKind;
import org.anyvirt.driver.block.BlockDriver;
import org.anyvirt.driver.block.BlockLoad;
import org.anyvirt.driver.block.BlockOptions;
import org.anyvirt.driver.block.LoadPlan;
import org.anyvirt.driver.block.LoadResult;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.vhostuser.VhostUserDevice;
import org.anyvirt.driver.vhostuser.VhostUserOptions;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Puts the same load on our backend and on qemu-storage-daemon, in turn, and reports ratios.
 *
 * <p>A machine's speed drifts, so each of our runs is paired with the peer's run right after it (or
 * before it, every other time), and what counts is the median of the pairs' ratios.
 */
@Command(
        name = "anyvirt benchmark",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        description = "The same load on anyvirt and on qemu-storage-daemon, by turns in one run.")
public final class SideBySide implements Callable<Integer> {
    private static final int BLOCK_SIZE = 4096;
    private static final long GUEST_MEMORY = 64L << 20;

    @Option(names = "--pairs", defaultValue = "7", description = "Pairs of runs (${DEFAULT-VALUE})")
    private int pairs;

    @Option(
            names = "--millis",
            defaultValue = "1000",
            description = "Duration of a run (${DEFAULT-VALUE})")
    private long millis;

    @Option(
            names = "--depths",
            split = ",",
            defaultValue = "1,32,128",
            description = "Requests in flight (${DEFAULT-VALUE})")
    private List<Integer> depths;

    @Option(
            names = "--stores",
            split = ",",
            defaultValue = "NULL,FILE,FILE_DIRECT",
            description = "Of ${COMPLETION-CANDIDATES} (${DEFAULT-VALUE})")
    private List<StoreKind> stores;

    @Option(names = "--folder", description = "Where the files lie; a temporary folder by default")
    private Path folder;

    @Option(names = "--launcher", defaultValue = "./anyvirt", hidden = true)
    private Path launcher;

    @Option(
            names = "--peer",
            defaultValue = "qemu-storage-daemon",
            description = "The peer's program (${DEFAULT-VALUE})")
    private String peer;

    private final PrintStream out;

    public SideBySide(PrintStream out) {
        this.out = out;
    }

    public static void main(String[] args) {
        System.exit(new CommandLine(new SideBySide(System.out)).execute(args));
    }

    @Override
    public Integer call() throws Exception {
        boolean ownFolder = folder == null;
        Path work = ownFolder ? Files.createTempDirectory("anyvirt-benchmark") : folder;
        try {
            header();
            for (StoreKind store : stores) {
                measure(store, work);
            }
        } finally {
            if (ownFolder) {
                deleteTree(work);
            }
        }
        return 0;
    }

    private void header() throws IOException, InterruptedException {
        Process version = new ProcessBuilder(peer, "--version").redirectErrorStream(true).start();
        String peerVersion =
                new String(version.getInputStream().readAllBytes())
                        .lines()
                        .findFirst()
                        .orElse(peer);
        version.waitFor();
        out.printf(
                "anyvirt beside %s%n%d byte blocks, one queue, %d pairs of %d ms, %d"
                        + " processors%n%n",
                peerVersion, BLOCK_SIZE, pairs, millis, Runtime.getRuntime().availableProcessors());
        out.println(
                "| store | pattern | depth | anyvirt kIOPS | peer kIOPS | ratio (quartiles) |"
                        + " anyvirt p50/p99 us | peer p50/p99 us |");
        out.println("|---|---|---|---|---|---|---|---|");
    }

    private void measure(StoreKind store, Path work) throws IOException, InterruptedException {
        try (Contender ours = Contender.anyvirt(launcher, store, work);
                Contender theirs = Contender.qemuStorageDaemon(peer, store, work)) {
            for (boolean write : new boolean[] {false, true}) {
                for (int depth : depths) {
                    row(new Scenario(store, write, depth), ours, theirs);
                }
            }
        }
    }

    private void row(Scenario scenario, Contender ours, Contender theirs) throws IOException {
        run(scenario, ours);
        run(scenario, theirs);
        List<LoadResult> our = new ArrayList<>();
        List<LoadResult> their = new ArrayList<>();
        for (int pair = 0; pair < pairs; pair++) {
            if (pair % 2 == 0) {
                our.add(run(scenario, ours));
                their.add(run(scenario, theirs));
            } else {
                their.add(run(scenario, theirs));
                our.add(run(scenario, ours));
            }
        }
        double[] ratios = new double[pairs];
        for (int pair = 0; pair < pairs; pair++) {
            ratios[pair] = our.get(pair).iops() / their.get(pair).iops();
        }
        Quartiles ratio = Quartiles.of(ratios);
        out.printf(
                "| %s | %s | %d | %.1f | %.1f | **%.2f** (%.2f-%.2f) | %s | %s |%n",
                scenario.store().label(),
                scenario.pattern(),
                scenario.depth(),
                medianIops(our) / 1e3,
                medianIops(their) / 1e3,
                ratio.median(),
                ratio.low(),
                ratio.high(),
                latency(our),
                latency(their));
    }

    private LoadResult run(Scenario scenario, Contender contender) throws IOException {
        BlockOptions options =
                BlockOptions.defaults()
                        .withDepth(scenario.depth())
                        .withBuffers(BLOCK_SIZE, BLOCK_SIZE)
                        .withSpinNanos(Long.MAX_VALUE);
        LoadPlan plan =
                LoadPlan.random(
                                scenario.write() ? 0 : 100,
                                BLOCK_SIZE,
                                scenario.depth(),
                                Contender.CAPACITY)
                        .withMillis(millis);
        VhostUserDevice device =
                VhostUserDevice.connect(
                        contender.socket(),
                        GuestMemory.ofSize(GUEST_MEMORY),
                        VhostUserOptions.DEFAULT);
        try (BlockDriver driver = BlockDriver.start(device, options)) {
            LoadResult result = new BlockLoad(plan, driver.queue(0)).run();
            if (result.errors() > 0) {
                throw new IOException(scenario + " on " + contender.socket() + ": " + result);
            }
            return result;
        }
    }

    private static double medianIops(List<LoadResult> results) {
        return Quartiles.of(results.stream().mapToDouble(LoadResult::iops).toArray()).median();
    }

    private static String latency(List<LoadResult> results) {
        return "%.1f / %.1f".formatted(medianMicros(results, 50), medianMicros(results, 99));
    }

    private static double medianMicros(List<LoadResult> results, double percentile) {
        return Quartiles.of(
                        results.stream()
                                .mapToDouble(r -> r.latency().percentileNanos(percentile) / 1e3)
                                .toArray())
                .median();
    }

    private static void deleteTree(Path root) throws IOException {
        try (Stream<Path> paths = Files.walk(root)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
