package org.anyvirt.driver.queue;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.virtio.memory.Buffers;
import org.anyvirt.virtio.queue.Chain;
import org.anyvirt.virtio.queue.MalformedChainException;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The two halves of a virtqueue in two threads, both of which sleep until notified whenever they
 * find nothing to do: a lost notification is a test that does not end, a lost order a wrong answer.
 */
@Timeout(120)
class ConcurrentRingTest {
    private static final Logger LOG = System.getLogger(ConcurrentRingTest.class.getName());
    private static final long SEED = Long.getLong("anyvirt.seed", System.nanoTime());
    private static final int SIZE = 16;
    private static final int SLOTS = 5;
    private static final int WORDS = 4;
    private static final int SLOT_BYTES = 128;
    private static final int REQUESTS = 40_000;
    private static final int SECONDS_MAX = 20;
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED;

    static List<RingVariant> variants() {
        return RingVariant.all();
    }

    @ParameterizedTest
    @MethodSource("variants")
    void noNotificationAndNoWriteIsLost(RingVariant variant) throws Exception {
        LOG.log(Level.INFO, variant + ": seed " + SEED);
        Semaphore toDevice = new Semaphore(0);
        Semaphore toDriver = new Semaphore(0);
        try (RingPair pair = new RingPair(variant, SIZE, 1 << 20)) {
            FutureTask<Void> device =
                    new FutureTask<>(() -> new Answerer(pair, toDevice, toDriver).run(), null);
            Thread thread = Thread.ofPlatform().name("device").daemon().start(device);
            new Asker(variant, pair, toDevice, toDriver, device).run();
            device.get(SECONDS_MAX, TimeUnit.SECONDS);
            thread.join();
        }
    }

    private static boolean await(Semaphore notification) throws InterruptedException {
        boolean came = notification.tryAcquire(SECONDS_MAX, TimeUnit.SECONDS);
        notification.drainPermits(); // As an eventfd: many notifications, one wake-up.
        return came;
    }

    /** The driver's thread: asks with random words, and checks that each answer is their sum. */
    private static final class Asker implements UsedBuffers {
        private final RingVariant variant;
        private final RingPair pair;
        private final Semaphore toDevice;
        private final Semaphore toDriver;
        private final FutureTask<Void> device;
        private final SplittableRandom random = new SplittableRandom(SEED);
        private final DriverChain chain = new DriverChain();
        private final SharedRange slots;
        private final boolean[] busy = new boolean[SLOTS];
        private final long[] expected = new long[SLOTS];
        private int asked;
        private int answered;

        Asker(
                RingVariant variant,
                RingPair pair,
                Semaphore toDevice,
                Semaphore toDriver,
                FutureTask<Void> device) {
            this.variant = variant;
            this.pair = pair;
            this.toDevice = toDevice;
            this.toDriver = toDriver;
            this.device = device;
            this.slots = pair.memory.allocate((long) SLOTS * SLOT_BYTES, 64);
        }

        void run() throws InterruptedException, ExecutionException {
            while (answered < REQUESTS) {
                for (int slot = 0; slot < SLOTS && asked < REQUESTS; slot++) {
                    if (!busy[slot] && random.nextInt(3) != 0) {
                        ask(slot);
                    }
                }
                if (pair.driver.publish()) {
                    toDevice.release();
                }
                if (random.nextInt(4) == 0) {
                    pair.driver.disarm();
                }
                int count = pair.driver.reap(this, 1 + random.nextInt(SIZE));
                if (count == 0 && pair.driver.outstanding() > 0 && !pair.driver.arm()) {
                    boolean notified = await(toDriver);
                    if (device.isDone()) {
                        device.get();
                    }
                    assertThat(notified)
                            .as("the driver is notified, seed %d, %d answers", SEED, answered)
                            .isTrue();
                }
            }
        }

        private void ask(int slot) {
            long at = (long) slot * SLOT_BYTES;
            long address = slots.address() + at;
            long sum = 0;
            chain.clear();
            for (int i = 0; i < WORDS; i++) {
                long word = random.nextLong();
                sum += word;
                slots.memory().set(WORD, at + i * 8L, word);
            }
            int split = 1 + random.nextInt(WORDS * 8 - 1);
            chain.readable(address, split).readable(address + split, WORDS * 8 - split);
            chain.writable(address + 64, 8);
            if (variant.indirect() && random.nextBoolean()) {
                chain.indirectFrom(0);
            }
            if (pair.driver.add(chain, slot)) {
                expected[slot] = sum;
                busy[slot] = true;
                asked++;
            }
        }

        @Override
        public void used(long token, long written) {
            int slot = (int) token;
            long answer = slots.memory().get(WORD, slot * (long) SLOT_BYTES + 64);
            if (!busy[slot] || written != 8 || answer != expected[slot]) {
                throw new AssertionError(
                        "seed %d: slot %d, busy %b: %d bytes, 0x%x and not 0x%x"
                                .formatted(
                                        SEED, slot, busy[slot], written, answer, expected[slot]));
            }
            busy[slot] = false;
            answered++;
        }
    }

    /** The device's thread: answers with the sum of the words, in random batches and order. */
    private static final class Answerer {
        private final RingPair pair;
        private final Semaphore toDevice;
        private final Semaphore toDriver;
        private final SplittableRandom random = new SplittableRandom(SEED + 1);
        private final Chain[] chains = new Chain[SIZE];
        private int held;
        private int answered;

        Answerer(RingPair pair, Semaphore toDevice, Semaphore toDriver) {
            this.pair = pair;
            this.toDevice = toDevice;
            this.toDriver = toDriver;
        }

        void run() {
            try {
                while (answered < REQUESTS) {
                    turn();
                }
            } catch (MalformedChainException | InterruptedException e) {
                throw new AssertionError("seed " + SEED, e);
            }
        }

        private void turn() throws MalformedChainException, InterruptedException {
            Chain[] taken = new Chain[SIZE];
            int count = pair.device.take(taken, 1 + random.nextInt(SIZE));
            for (int i = 0; i < count; i++) {
                chains[held++] = taken[i];
            }
            boolean idle = count == 0;
            for (int left = idle ? held : random.nextInt(held + 1); left > 0; left--) {
                int which = random.nextInt(held);
                answer(chains[which]);
                chains[which] = chains[--held];
            }
            if (pair.device.flush()) {
                toDriver.release();
            }
            if (idle && answered < REQUESTS && !pair.device.arm()) {
                assertThat(await(toDevice))
                        .as("the device is notified, seed %d, %d answers", SEED, answered)
                        .isTrue();
                if (random.nextBoolean()) {
                    pair.device.disarm();
                }
            }
        }

        private void answer(Chain chain) {
            Buffers words = chain.readable();
            long sum = 0;
            for (int i = 0; i < WORDS; i++) {
                long word = 0;
                for (int k = 7; k >= 0; k--) {
                    word = word << 8 | words.getByte(i * 8L + k) & 0xff;
                }
                sum += word;
            }
            for (int k = 0; k < 8; k++) {
                chain.writable().putByte(k, (byte) (sum >>> 8 * k));
            }
            pair.device.complete(chain, 8);
            answered++;
        }
    }
}
