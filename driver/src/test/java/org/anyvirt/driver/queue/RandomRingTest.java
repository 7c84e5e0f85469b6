package org.anyvirt.driver.queue;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.virtio.queue.Chain;
import org.anyvirt.virtio.queue.MalformedChainException;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The driver's and the device's half of a virtqueue take random steps, in one thread, and
 * everything that either sees is compared with what the other did.
 */
@Timeout(120)
class RandomRingTest {
    private static final Logger LOG = System.getLogger(RandomRingTest.class.getName());
    private static final long SEED = Long.getLong("anyvirt.seed", System.nanoTime());
    private static final int SIZE_MAX = 128;
    private static final int ELEMENTS_MAX = RingPair.INDIRECT_ELEMENTS;
    private static final int ELEMENT_BYTES_MAX = 48;

    /** More than the 65536 after which the indexes of a split ring come round. */
    private static final int CHAINS = 70_000;

    static List<RingVariant> variants() {
        return RingVariant.all();
    }

    @ParameterizedTest
    @MethodSource("variants")
    void driverAndDeviceSeeTheSame(RingVariant variant) throws Exception {
        LOG.log(Level.INFO, variant + ": seed " + SEED);
        SplittableRandom random = new SplittableRandom(SEED);
        for (int round = 0; round < 20; round++) {
            int size = 1 + random.nextInt(variant.packed() ? 20 : 8);
            steps(variant, variant.packed() ? size : 1 << size - 1, random, 500);
        }
        steps(variant, variant.packed() ? SIZE_MAX - 1 : SIZE_MAX, random, CHAINS);
    }

    private void steps(RingVariant variant, int size, SplittableRandom random, int chains)
            throws Exception {
        try (RingPair pair = new RingPair(variant, size, 4 << 20)) {
            new Session(variant, pair, size, random).run(chains);
        } catch (AssertionError | MalformedChainException | RuntimeException e) {
            throw new AssertionError("%s, size %d, seed %d".formatted(variant, size, SEED), e);
        }
    }

    /** A chain between adding and reaping. */
    private static final class Request {
        long token;
        byte[] readable;
        final List<SharedRange> writable = new ArrayList<>();
        int writableBytes;
        int slot;
        byte[] answer;
    }

    private static final class Session {
        private final RingVariant variant;
        private final RingPair pair;
        private final int size;
        private final SplittableRandom random;
        private final DriverChain chain = new DriverChain();
        private final Chain[] taken;

        private final SharedRange slots;
        private final ArrayDeque<Integer> idleSlots = new ArrayDeque<>();
        private final Map<Long, Request> outstanding = new HashMap<>();
        private final ArrayDeque<Request> added = new ArrayDeque<>();
        private final ArrayDeque<Request> published = new ArrayDeque<>();
        private final List<Request> atDevice = new ArrayList<>();
        private final List<Chain> chainsAtDevice = new ArrayList<>();
        private final ArrayDeque<Request> completed = new ArrayDeque<>();
        private int visible;
        private long nextToken;
        private boolean driverSleeps;
        private boolean deviceSleeps;
        private int reaped;

        Session(RingVariant variant, RingPair pair, int size, SplittableRandom random) {
            this.variant = variant;
            this.pair = pair;
            this.size = size;
            this.random = random;
            this.taken = new Chain[size + 1];
            this.slots = pair.memory.allocate((long) size * ELEMENTS_MAX * ELEMENT_BYTES_MAX, 1);
            for (int i = 0; i < size; i++) {
                idleSlots.add(i);
            }
        }

        void run(int chains) throws MalformedChainException {
            while (reaped < chains) {
                switch (random.nextInt(8)) {
                    case 0, 1 -> addSome(1 + random.nextInt(size));
                    case 2 -> publish();
                    case 3 -> take();
                    case 4 -> completeSome();
                    case 5 -> flush();
                    case 6 -> reap(1 + random.nextInt(2 * size));
                    default -> changeSleep();
                }
            }
            publish();
            take();
            while (!outstanding.isEmpty()) {
                take();
                completeSome();
                flush();
                reap(size);
            }
            assertThat(pair.driver.free()).isEqualTo(size);
            assertThat(pair.driver.outstanding()).isZero();
            assertThat(pair.device.position()).isEqualTo(pair.driver.position());
        }

        private void addSome(int count) {
            for (int i = 0; i < count; i++) {
                Request request = new Request();
                int elements = 1 + random.nextInt(Math.min(size, ELEMENTS_MAX));
                int direct = direct(elements);
                int needed = direct < elements ? direct + 1 : elements;
                boolean fits = needed <= pair.driver.free();
                if (idleSlots.isEmpty()) {
                    return;
                }
                request.slot = idleSlots.remove();
                request.token = nextToken++ * 0x1_0000_0001L;
                build(request, elements, direct);
                assertThat(pair.driver.add(chain, request.token)).isEqualTo(fits);
                if (!fits) {
                    idleSlots.add(request.slot);
                    return;
                }
                outstanding.put(request.token, request);
                added.add(request);
            }
        }

        /** How many of the elements the ring describes; the others go into a table. */
        private int direct(int elements) {
            if (!variant.indirect() || random.nextInt(3) == 0) {
                return elements;
            }
            return variant.packed() || random.nextBoolean() ? 0 : random.nextInt(elements);
        }

        private void build(Request request, int elements, int direct) {
            chain.clear();
            int readable = random.nextInt(elements + 1);
            byte[] bytes = new byte[ELEMENTS_MAX * ELEMENT_BYTES_MAX];
            int count = 0;
            for (int i = 0; i < elements; i++) {
                int length = 1 + random.nextInt(ELEMENT_BYTES_MAX);
                SharedRange element =
                        slots.slice(
                                ((long) request.slot * ELEMENTS_MAX + i) * ELEMENT_BYTES_MAX,
                                length);
                if (i < readable) {
                    for (int k = 0; k < length; k++) {
                        byte value = (byte) random.nextInt();
                        bytes[count++] = value;
                        element.memory().set(ValueLayout.JAVA_BYTE, k, value);
                    }
                    chain.readable(element.address(), length);
                } else {
                    element.memory().fill((byte) 0);
                    request.writable.add(element);
                    request.writableBytes += length;
                    chain.writable(element.address(), length);
                }
            }
            if (direct < elements) {
                chain.indirectFrom(direct);
            }
            request.readable = Arrays.copyOf(bytes, count);
        }

        private void publish() {
            boolean any = !added.isEmpty();
            boolean notify = pair.driver.publish();
            published.addAll(added);
            added.clear();
            if (!any) {
                assertThat(notify).isFalse();
            } else if (deviceSleeps) {
                assertThat(notify).as("a device that sleeps is notified").isTrue();
                deviceSleeps = false;
            }
        }

        private void take() throws MalformedChainException {
            int max = 1 + random.nextInt(size);
            int count = pair.device.take(taken, max);
            assertThat(count).isEqualTo(Math.min(max, published.size()));
            for (int i = 0; i < count; i++) {
                Request request = published.remove();
                Chain got = taken[i];
                assertThat(got.readable().total()).isEqualTo(request.readable.length);
                assertThat(got.writable().total()).isEqualTo(request.writableBytes);
                byte[] read = new byte[request.readable.length];
                got.readable().get(0, MemorySegment.ofArray(read), 0, read.length);
                assertThat(read).isEqualTo(request.readable);
                atDevice.add(request);
                chainsAtDevice.add(got);
            }
            if (count > 0) {
                deviceSleeps = false;
            }
        }

        private void completeSome() {
            for (int count = random.nextInt(size + 1); count > 0 && !atDevice.isEmpty(); count--) {
                // In order also without being told to: the device's half keeps the order itself.
                int which = random.nextInt(atDevice.size());
                Request request = atDevice.remove(which);
                Chain done = chainsAtDevice.remove(which);
                request.answer = new byte[random.nextInt(request.writableBytes + 1)];
                random.nextBytes(request.answer);
                done.writable()
                        .put(0, MemorySegment.ofArray(request.answer), 0, request.answer.length);
                pair.device.complete(done, request.answer.length);
                completed.add(request);
            }
        }

        private void flush() {
            long before = pair.device.usedBuffers();
            boolean notify = pair.device.flush();
            int used = (int) (pair.device.usedBuffers() - before);
            visible += used;
            if (!variant.inOrder()) {
                assertThat(used).isEqualTo(completed.size());
            }
            completed.clear();
            if (used == 0) {
                assertThat(notify).isFalse();
            } else if (driverSleeps) {
                assertThat(notify).as("a driver that sleeps is notified").isTrue();
                driverSleeps = false;
            }
        }

        private void reap(int max) {
            int before = reaped;
            int count = pair.driver.reap(this::used, max);
            assertThat(count).isEqualTo(reaped - before).isEqualTo(Math.min(max, visible));
            visible -= count;
        }

        private void used(long token, long written) {
            Request request = outstanding.remove(token);
            assertThat(request).isNotNull();
            assertThat(written).isEqualTo(request.answer.length);
            int at = 0;
            for (SharedRange range : request.writable) {
                for (int k = 0; k < range.size(); k++, at++) {
                    byte found = range.memory().get(ValueLayout.JAVA_BYTE, k);
                    assertThat(found).isEqualTo(at < written ? request.answer[at] : 0);
                }
            }
            idleSlots.add(request.slot);
            reaped++;
        }

        /** Either half goes to sleep, unless there is something to do, or polls again. */
        private void changeSleep() {
            if (random.nextBoolean()) {
                if (random.nextBoolean()) {
                    pair.driver.disarm();
                    driverSleeps = false;
                } else {
                    boolean more = pair.driver.arm();
                    assertThat(more).isEqualTo(visible > 0);
                    driverSleeps = !more;
                }
            } else if (random.nextBoolean()) {
                pair.device.disarm();
                deviceSleeps = false;
            } else {
                deviceSleeps = !pair.device.arm() && published.isEmpty();
            }
        }
    }
}
