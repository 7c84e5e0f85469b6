package org.anyvirt.driver.block;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/**
 * Puts a load on one queue of a block device and measures it.
 *
 * <p>Data plane: one thread, no allocation between start and end. The clock is read once a batch of
 * completions.
 */
public final class BlockLoad {
    private static final int TIMEOUT_MILLIS = 30_000;
    private static final long GOLDEN = 0x9e3779b97f4a7c15L;

    private final LoadPlan plan;
    private final BlockRequests requests;
    private final LatencyHistogram latency = new LatencyHistogram();
    private final BlockCompletions completions = this::completed;
    private final BlockContents contents;
    private final int blocks;
    private final long firstSector;
    private final long[] started;
    private final int[] block;
    private final boolean[] writing;

    private long random;
    private int sequential;
    private long deadline;
    private long toStart;
    private long now;
    private int inFlight;
    private boolean measuring;

    private long sentBefore;
    private long sleepsBefore;
    private long ended;
    private long errors;
    private long mismatches;
    private String firstProblem;

    /**
     * @param requests with no request in flight
     * @throws IllegalArgumentException when the queue has fewer slots, or smaller buffers
     */
    public BlockLoad(LoadPlan plan, BlockRequests requests) {
        if (plan.depth() > requests.depth() || plan.blockSize() > requests.bufferSize()) {
            throw new IllegalArgumentException(
                    "%d requests of %d bytes on a queue of %d with buffers of %d"
                            .formatted(
                                    plan.depth(),
                                    plan.blockSize(),
                                    requests.depth(),
                                    requests.bufferSize()));
        }
        this.plan = plan;
        this.requests = requests;
        this.blocks = Math.toIntExact(plan.length() / plan.blockSize());
        this.firstSector = plan.offset() / BlockRequests.SECTOR;
        this.contents =
                plan.verify() ? new BlockContents(blocks, plan.blockSize(), plan.seed()) : null;
        this.started = new long[requests.depth()];
        this.block = new int[requests.depth()];
        this.writing = new boolean[requests.depth()];
        this.random = plan.seed();
    }

    /**
     * Runs the load on every queue of a driver at once, a thread each, and each on a part of the
     * range of its own.
     */
    public static LoadResult runOnAll(LoadPlan plan, BlockDriver driver)
            throws InterruptedException {
        int queues = driver.queues();
        long part = plan.length() / queues / plan.blockSize() * plan.blockSize();
        List<FutureTask<LoadResult>> running = new ArrayList<>();
        for (int i = 0; i < queues; i++) {
            LoadPlan mine =
                    plan.withRange(plan.offset() + i * part, part).withSeed(plan.seed() + i);
            BlockLoad load = new BlockLoad(mine, driver.queue(i));
            FutureTask<LoadResult> task = new FutureTask<>(load::run);
            running.add(task);
            Thread.ofPlatform().daemon().name("load-queue-" + i).start(task);
        }
        LoadResult all = null;
        for (FutureTask<LoadResult> task : running) {
            try {
                LoadResult one = task.get();
                all = all == null ? one : all.and(one);
            } catch (ExecutionException e) {
                throw new IllegalStateException("a queue's load failed", e.getCause());
            }
        }
        return all;
    }

    /**
     * Runs the load, on this thread.
     *
     * @throws IllegalStateException when the device does not answer for 30 s
     */
    public LoadResult run() {
        reset();
        long start = System.nanoTime();
        now = start;
        deadline = start + Math.min(plan.durationNanos(), Long.MAX_VALUE >> 2);
        toStart = plan.requests();
        measuring = true;
        for (int i = 0; i < plan.depth() && toStart > 0; i++) {
            startNext(requests.acquire());
        }
        drain();
        long nanos = System.nanoTime() - start;
        measuring = false;
        if (contents != null) {
            readWritten();
        }
        return result(nanos);
    }

    /**
     * Only checks once more every block that {@link #run} wrote.
     *
     * @throws IllegalStateException also when the plan does not verify
     */
    public LoadResult readBack() {
        if (contents == null) {
            throw new IllegalStateException("this load does not know what it wrote");
        }
        reset();
        long start = System.nanoTime();
        measuring = true;
        toStart = 0;
        readWritten();
        measuring = false;
        return result(System.nanoTime() - start);
    }

    private void reset() {
        latency.clear();
        ended = 0;
        errors = 0;
        mismatches = 0;
        firstProblem = null;
        sentBefore = requests.notificationsSent();
        sleepsBefore = requests.sleeps();
    }

    private LoadResult result(long nanos) {
        return new LoadResult(
                ended,
                ended * plan.blockSize(),
                errors,
                mismatches,
                firstProblem,
                nanos,
                latency.copy(),
                requests.notificationsSent() - sentBefore,
                requests.sleeps() - sleepsBefore);
    }

    /** Submits, and goes on until nothing is in flight. */
    private void drain() {
        requests.submit();
        while (inFlight > 0) {
            now = 0;
            if (requests.await(completions, TIMEOUT_MILLIS) == 0) {
                throw new IllegalStateException(
                        "%d requests are in flight, and none has ended within %d ms"
                                .formatted(inFlight, TIMEOUT_MILLIS));
            }
            requests.submit();
        }
    }

    private void startNext(int slot) {
        toStart--;
        int wish = plan.random() ? (int) Math.unsignedMultiplyHigh(next(), blocks) : sequential;
        int chosen = contents == null ? wish : contents.take(wish);
        sequential = chosen + 1 == blocks ? 0 : chosen + 1;
        boolean writes = Math.unsignedMultiplyHigh(next(), 100) >= plan.readPercent();
        if (writes && contents != null) {
            contents.fill(chosen, requests.data(), requests.dataOffset(slot));
        }
        start(slot, chosen, writes);
    }

    private void start(int slot, int chosen, boolean writes) {
        block[slot] = chosen;
        writing[slot] = writes;
        started[slot] = now;
        long sector = firstSector + (long) chosen * plan.blockSize() / BlockRequests.SECTOR;
        if (writes) {
            requests.write(slot, sector, plan.blockSize());
        } else {
            requests.read(slot, sector, plan.blockSize());
        }
        inFlight++;
    }

    private long next() {
        random += GOLDEN;
        return BlockContents.mix(random);
    }

    private void completed(int slot, int status) {
        if (now == 0) {
            now = System.nanoTime();
        }
        inFlight--;
        if (measuring) {
            ended++;
            latency.record(now - started[slot]);
        }
        boolean ok = status == BlockStatus.VIRTIO_BLK_S_OK;
        if (!ok) {
            errors++;
            problem(slot, BlockStatus.name(status));
        }
        if (contents != null) {
            check(slot, ok);
        }
        if (measuring && toStart > 0 && now < deadline) {
            startNext(slot);
        } else {
            requests.release(slot);
        }
    }

    private void check(int slot, boolean ok) {
        if (writing[slot]) {
            contents.written(block[slot], ok);
            return;
        }
        String mismatch =
                ok
                        ? contents.mismatch(block[slot], requests.data(), requests.dataOffset(slot))
                        : null;
        if (mismatch != null) {
            mismatches++;
            problem(slot, mismatch);
        }
        contents.read(block[slot]);
    }

    private void problem(int slot, String what) {
        if (firstProblem == null) {
            firstProblem =
                    "%s of block %d: %s"
                            .formatted(writing[slot] ? "write" : "read", block[slot], what);
        }
    }

    /** Reads every block whose content is known once more. */
    private void readWritten() {
        int next = 0;
        while (next < blocks) {
            now = System.nanoTime();
            for (int i = 0; i < plan.depth() && next < blocks; next++) {
                if (contents.isKnown(next)) {
                    start(requests.acquire(), contents.take(next), false);
                    i++;
                }
            }
            drain();
        }
    }
}
