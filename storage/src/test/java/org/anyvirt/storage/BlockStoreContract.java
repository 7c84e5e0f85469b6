package org.anyvirt.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.anyvirt.devices.block.BlockQueue;
import org.anyvirt.devices.block.BlockStore;
import org.anyvirt.linux.Poll;
import org.anyvirt.virtio.memory.Buffers;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What every {@link BlockStore} promises. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
public abstract class BlockStoreContract {
    protected static final int CAPACITY = 4 << 20;

    protected BlockStore store;
    private TestQueue queue;
    private int block;

    /** A new, writable store of {@link #CAPACITY} bytes that has never been written. */
    protected abstract BlockStore create() throws IOException;

    /** Whether it gives back what was written; otherwise zeros. */
    protected boolean remembers() {
        return true;
    }

    /** Whether its capacity can change. */
    protected boolean resizes() {
        return true;
    }

    @BeforeEach
    void open() throws IOException {
        store = create();
        queue = new TestQueue(store, 64);
        block = store.limits().blockSize();
    }

    @AfterEach
    void close() throws IOException {
        queue.close();
        store.close();
    }

    @Test
    void tellsOfLimitsThatFitTogether() {
        BlockStore.Limits limits = store.limits();
        assertThat(limits.readOnly()).isFalse();
        assertThat(limits.blockSize()).isGreaterThanOrEqualTo(512);
        assertThat(Integer.bitCount(limits.blockSize())).isOne();
        assertThat(Integer.bitCount(limits.physicalBlockSize())).isOne();
        assertThat(limits.physicalBlockSize()).isGreaterThanOrEqualTo(limits.blockSize());
        assertThat(limits.discardAlignment() % limits.blockSize()).isZero();
        assertThat(store.capacity()).isEqualTo(CAPACITY);
        assertThat(store.describe()).matches("[a-z]+:.+");
        assertThat(store.errorName(5)).isIn("EIO", "errno 5");
    }

    @Test
    void readsZerosAtFirst() {
        assertThat(queue.read(0, 64 << 10)).containsOnly(0);
        assertThat(queue.read(CAPACITY - block, block)).containsOnly(0);
    }

    @Test
    void readsBackWhatWasWrittenToTheLastBlock() {
        byte[] written = pattern(7, block);
        queue.write(CAPACITY - block, written);
        assertThat(queue.read(CAPACITY - block, block)).isEqualTo(expected(written));
    }

    @Test
    void behavesAsItsModelUnderRandomRequests() {
        SplittableRandom random = Seed.random("behavesAsItsModelUnderRandomRequests");
        byte[] model = new byte[CAPACITY];
        for (int i = 0; i < 300; i++) {
            int offset = random.nextInt(CAPACITY / block) * block;
            int blocks = 1 + random.nextInt(Math.min((CAPACITY - offset) / block, 256));
            request(random, model, offset, blocks * block);
        }
        assertThat(queue.read(0, CAPACITY)).isEqualTo(model);
    }

    private void request(SplittableRandom random, byte[] model, int offset, int length) {
        try (Arena arena = Arena.ofConfined()) {
            long alignment = List.of(1L, 3L, 512L, 4096L).get(random.nextInt(4));
            int header = random.nextInt(20);
            Buffers buffers = Fragments.random(arena, random, header + length, alignment);
            long token = random.nextLong();
            switch (random.nextInt(6)) {
                case 0, 1 -> {
                    byte[] bytes = pattern(random.nextInt(), length);
                    buffers.put(header, MemorySegment.ofArray(bytes), 0, length);
                    queue.io.write(token, offset, buffers, header, length, random.nextBoolean());
                    System.arraycopy(expected(bytes), 0, model, offset, length);
                }
                case 2 -> {
                    queue.io.writeZeroes(token, offset, length, random.nextBoolean());
                    Arrays.fill(model, offset, offset + length, (byte) 0);
                }
                case 3 -> {
                    queue.io.discard(token, offset, length);
                    assertThat(queue.finish()).isZero();
                    assertThat(queue.read(offset, length))
                            .satisfiesAnyOf(
                                    read -> assertThat(read).containsOnly(0),
                                    read -> assertThat(model).contains(read));
                    queue.io.writeZeroes(token, offset, length, false);
                    Arrays.fill(model, offset, offset + length, (byte) 0);
                }
                case 4 -> queue.io.flush(token);
                default -> {
                    buffers.fill(0, buffers.total(), (byte) 0xEE);
                    queue.io.read(token, offset, buffers, header, length);
                    assertThat(queue.finish()).isZero();
                    assertThat(Fragments.bytes(buffers, header, length))
                            .isEqualTo(Arrays.copyOfRange(model, offset, offset + length));
                    assertThat(Fragments.bytes(buffers, 0, header))
                            .as("what is before the data stays")
                            .isEqualTo(filled(header, (byte) 0xEE));
                    return;
                }
            }
            assertThat(queue.finish()).isZero();
        }
    }

    @Test
    void movesMoreFragmentsThanOneSystemCallTakes() {
        try (Arena arena = Arena.ofConfined()) {
            for (long gap : new long[] {0, 1, 512}) {
                Buffers source = Fragments.equal(arena, 2500, 512, gap);
                int length = 2500 * 512 / block * block;
                byte[] bytes = pattern(3, length);
                source.put(0, MemorySegment.ofArray(bytes), 0, length);
                queue.io.write(1, block, source, 0, length, false);
                assertThat(queue.finish()).isZero();
                Buffers into = Fragments.equal(arena, 2500, 512, gap);
                into.fill(0, into.total(), (byte) 0xEE);
                queue.io.read(1, block, into, 0, length);
                assertThat(queue.finish()).isZero();
                assertThat(Fragments.bytes(into, 0, length)).isEqualTo(expected(bytes));
            }
        }
    }

    @Test
    void endsEachOfAQueueFullOfRequestsOnce() {
        try (Arena arena = Arena.ofConfined()) {
            for (int round = 0; round < 20; round++) {
                Buffers[] buffers = new Buffers[64];
                for (int i = 0; i < 64; i++) {
                    long gap = i % 4 == 3 ? 1 : 0;
                    buffers[i] = Fragments.equal(arena, 2, 4096, gap);
                    buffers[i].fill(0, 8192, (byte) (i + round));
                    queue.io.write(i - 32L, i * 8192L, buffers[i], 0, 8192, i % 2 == 0);
                }
                queue.await(64);
                assertThat(queue.ended.values()).containsOnly(0);
                queue.ended.clear();
                for (int i = 0; i < 64; i++) {
                    queue.io.read(Long.MIN_VALUE + i, (63 - i) * 8192L, buffers[i], 0, 8192);
                }
                queue.await(64);
                assertThat(queue.ended.values()).containsOnly(0);
                queue.ended.clear();
                for (int i = 0; i < 64; i++) {
                    byte value = (byte) (remembers() ? 63 - i + round : 0);
                    assertThat(Fragments.bytes(buffers[i], 0, 8192)).containsOnly(value);
                }
            }
        }
    }

    @Test
    void takesRequestsFromWithinTheEndOfAnother() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            Buffers buffers = Fragments.whole(arena, 4096);
            int[] left = {1000};
            BlockQueue[] io = new BlockQueue[1];
            io[0] =
                    store.open(
                            1,
                            (token, error) -> {
                                assertThat(error).isZero();
                                if (--left[0] > 0) {
                                    io[0].read(left[0], 0, buffers, 0, 4096);
                                }
                            });
            io[0].read(0, 0, buffers, 0, 4096);
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
            while (left[0] > 0) {
                assertThat(System.nanoTime()).isLessThan(deadline);
                io[0].submit();
                if (io[0].reap() == 0) {
                    Poll.await(1000, io[0].wakeFd());
                }
            }
            io[0].close();
        }
    }

    @Test
    void servesSeveralQueuesAtOnce() throws Exception {
        int threads = 4;
        try (ExecutorService executor = Executors.newFixedThreadPool(threads)) {
            List<Callable<Void>> tasks = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                long start = (long) i * CAPACITY / threads;
                SplittableRandom random = new SplittableRandom(i);
                tasks.add(() -> useAQuarter(start, random));
            }
            for (Future<Void> task : executor.invokeAll(tasks, 50, TimeUnit.SECONDS)) {
                task.get();
            }
        }
    }

    private Void useAQuarter(long start, SplittableRandom random) throws IOException {
        int length = CAPACITY / 4;
        byte[] model = new byte[length];
        try (TestQueue mine = new TestQueue(store, 8)) {
            for (int i = 0; i < 100; i++) {
                int at = random.nextInt(length / 8192) * 8192;
                byte[] bytes = pattern(random.nextInt(), 8192);
                mine.write(start + at, bytes);
                System.arraycopy(expected(bytes), 0, model, at, 8192);
                if (i % 10 == 0) {
                    mine.io.flush(5);
                    assertThat(mine.finish()).isZero();
                }
            }
            assertThat(mine.read(start, length)).isEqualTo(model);
        }
        return null;
    }

    @Test
    void growsWithZerosAndKeepsWhatThereWas() throws IOException {
        assumeTrue(resizes(), "it has the size that it has");
        byte[] written = pattern(9, 8192);
        queue.write(CAPACITY - 8192, written);
        store.resize(2L * CAPACITY);
        assertThat(store.capacity()).isEqualTo(2L * CAPACITY);
        assertThat(queue.read(CAPACITY - 8192, 8192)).isEqualTo(expected(written));
        assertThat(queue.read(CAPACITY, CAPACITY)).containsOnly(0);
        queue.write(2 * CAPACITY - 8192, written);
        assertThat(queue.read(2 * CAPACITY - 8192, 8192)).isEqualTo(expected(written));
    }

    @Test
    void readsZerosWhereItShrankAndGrewAgain() throws IOException {
        assumeTrue(resizes(), "it has the size that it has");
        queue.write(CAPACITY - 8192, pattern(9, 8192));
        queue.write(0, pattern(4, 8192));
        store.resize(CAPACITY / 2);
        assertThat(store.capacity()).isEqualTo(CAPACITY / 2);
        store.resize(CAPACITY);
        assertThat(queue.read(CAPACITY - 8192, 8192)).containsOnly(0);
        assertThat(queue.read(0, 8192)).isEqualTo(expected(pattern(4, 8192)));
    }

    @Test
    void shrinksUnderIo() throws IOException {
        assumeTrue(resizes(), "it has the size that it has");
        try (Arena arena = Arena.ofConfined()) {
            Buffers buffers = Fragments.whole(arena, 8192);
            for (int round = 0; round < 50; round++) {
                for (int i = 0; i < 32; i++) {
                    long offset = CAPACITY - (i + 1) * 8192L;
                    if (i % 2 == 0) {
                        queue.io.write(i, offset, buffers, 0, 8192, false);
                    } else {
                        queue.io.read(i, offset, buffers, 0, 8192);
                    }
                }
                queue.io.submit();
                store.resize(CAPACITY / 2);
                queue.await(32);
                queue.ended.clear();
                store.resize(CAPACITY);
                buffers.fill(0, 8192, (byte) 0x55);
            }
            store.resize(CAPACITY / 2);
            store.resize(CAPACITY);
            assertThat(queue.read(CAPACITY / 2, CAPACITY / 2)).containsOnly(0);
        }
    }

    @Test
    void closesWithRequestsInFlight() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            for (int round = 0; round < 20; round++) {
                TestQueue other = new TestQueue(store, 32);
                for (int i = 0; i < 32; i++) {
                    Buffers buffers = Fragments.equal(arena, 2, 32 << 10, i % 2);
                    other.io.read(i, i * 65536L, buffers, 0, 65536);
                    if (i == 15) {
                        other.io.submit();
                    }
                }
                other.close();
                assertThat(other.ended).isEmpty();
            }
        }
    }

    @Test
    void allocatesNothingForARequest() {
        var thread =
                (com.sun.management.ThreadMXBean)
                        java.lang.management.ManagementFactory.getThreadMXBean();
        try (Arena arena = Arena.ofConfined();
                SteadyLoad load = new SteadyLoad(store, arena)) {
            // What the interpreter and the first compiler allocate is not the code's.
            long allocated = Long.MAX_VALUE;
            for (int round = 0; round < 20 && allocated > 0; round++) {
                long before = thread.getCurrentThreadAllocatedBytes();
                load.run(50_000);
                allocated = thread.getCurrentThreadAllocatedBytes() - before;
            }
            assertThat(allocated).as("bytes for 50,000 requests, once compiled").isZero();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    protected final byte[] expected(byte[] written) {
        return remembers() ? written : new byte[written.length];
    }

    protected static byte[] pattern(int seed, int length) {
        byte[] bytes = new byte[length];
        new java.util.Random(seed).nextBytes(bytes);
        return bytes;
    }

    private static byte[] filled(int length, byte value) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, value);
        return bytes;
    }
}
