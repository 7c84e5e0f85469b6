package org.anyvirt.virtio.queue;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import org.anyvirt.virtio.raw.Element;
import org.anyvirt.virtio.raw.GuestMemory;
import org.anyvirt.virtio.raw.RawRing;
import org.anyvirt.virtio.raw.Used;
import org.anyvirt.virtio.spec.FeatureBits;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random honest traffic: every chain arrives as it was offered, goes back once, in the right order,
 * with what the device wrote, and with the notifications that the specification demands.
 */
class RandomRingTest {
    private static final long SEED = Long.getLong("anyvirt.seed", System.nanoTime());
    private static final int SLOT = 1024;

    static List<Setup> setups() {
        List<Setup> setups = new ArrayList<>();
        for (int bits = 0; bits < 16; bits++) {
            for (int size : new int[] {1, 8, 64, 1024}) {
                setups.add(
                        new Setup(
                                (bits & 1) != 0,
                                (bits & 2) != 0,
                                (bits & 4) != 0,
                                (bits & 8) != 0,
                                size + ((bits & 1) != 0 && size > 1 ? bits - 5 : 0)));
            }
        }
        return setups;
    }

    @ParameterizedTest
    @MethodSource("setups")
    @Timeout(60)
    void carriesEveryChainThereAndBack(Setup setup) throws Exception {
        Random random = new Random(SEED ^ setup.hashCode());
        try (ExecutorService others = Executors.newFixedThreadPool(2)) {
            new Traffic(setup, random, others).run();
        } catch (AssertionError e) {
            throw new AssertionError("-Danyvirt.seed=" + SEED + ": " + e.getMessage(), e);
        }
    }

    record Setup(boolean packed, boolean indirect, boolean eventIdx, boolean inOrder, int size) {
        int[] features() {
            return IntStream.of(
                            indirect ? FeatureBits.VIRTIO_F_INDIRECT_DESC : -1,
                            eventIdx ? FeatureBits.VIRTIO_F_EVENT_IDX : -1,
                            inOrder ? FeatureBits.VIRTIO_F_IN_ORDER : -1)
                    .filter(bit -> bit >= 0)
                    .toArray();
        }
    }

    /** What the driver remembers of a buffer that it offered. */
    private record Offered(List<Element> elements, byte[] readable, long slot) {}

    private static final class Traffic {
        private final Setup setup;
        private final Random random;
        private final ExecutorService others;
        private final GuestMemory guest = new GuestMemory(8 << 20);
        private final RawRing ring;
        private final DeviceVirtqueue queue;
        private final Chain[] batch = new Chain[32];
        private final Map<Integer, Offered> offered = new HashMap<>();
        private final ArrayDeque<Integer> offeredOrder = new ArrayDeque<>();
        private final ArrayDeque<Integer> takeOrder = new ArrayDeque<>();
        private final List<Chain> taken = new ArrayList<>();
        private final Map<Integer, byte[]> answers = new HashMap<>();
        private final ArrayDeque<Long> freeSlots = new ArrayDeque<>();
        private final int goal;
        private volatile String failure;
        private long served;

        Traffic(Setup setup, Random random, ExecutorService others) throws Exception {
            this.setup = setup;
            this.random = random;
            this.others = others;
            ring = RawRing.create(setup.packed, guest, setup.size);
            queue = ring.device(setup.features());
            for (int i = 0; i < setup.size; i++) {
                freeSlots.add(guest.allocate(SLOT, 1));
            }
            // The indexes of a split ring wrap at 65536: some of the runs go there.
            goal = setup.size == 64 && !setup.indirect ? 70_000 : 3_000;
        }

        void run() throws Exception {
            while (served < goal) {
                step();
            }
            while (!offered.isEmpty()) {
                take();
                taken.forEach(chain -> complete(chain, false));
                taken.clear();
                queue.reapHandedOver();
                flush();
            }
            assertThat(failure).isNull();
            assertThat(queue.inFlight()).isZero();
            assertThat(queue.usedBuffers()).isEqualTo(served);
            assertThat(ring.free()).isEqualTo(setup.size);
        }

        private void step() throws Exception {
            for (int i = random.nextInt(Math.min(setup.size, 20) + 1); i > 0; i--) {
                offer();
            }
            if (random.nextInt(4) != 0) {
                take();
            }
            if (random.nextInt(8) == 0) {
                queue.disarm();
            }
            int completions = random.nextInt(taken.size() + 1);
            for (int i = 0; i < completions; i++) {
                int at = setup.inOrder && random.nextBoolean() ? 0 : random.nextInt(taken.size());
                complete(taken.remove(at), random.nextInt(3) == 0);
            }
            if (random.nextInt(3) != 0) {
                queue.reapHandedOver();
            }
            if (random.nextInt(3) == 0) {
                if (!setup.eventIdx) {
                    ring.wantUsed(random.nextBoolean());
                } else if (random.nextBoolean()) {
                    ring.wantNextUsed();
                }
            }
            flush();
        }

        private void offer() {
            int count = 1 + random.nextInt(setup.indirect ? 12 : Math.min(setup.size, 4));
            int inTable = setup.indirect && random.nextBoolean() ? 1 + random.nextInt(count) : 0;
            int direct = count - inTable + (inTable > 0 ? 1 : 0);
            if (direct > ring.free() || freeSlots.isEmpty()) {
                return;
            }
            long slot = freeSlots.remove();
            int readables = random.nextInt(count + 1);
            Element[] elements = new Element[count];
            byte[] readable = new byte[SLOT];
            int read = 0;
            for (int i = 0; i < count; i++) {
                int length = random.nextInt(8) == 0 ? 0 : 1 + random.nextInt(60);
                long address = slot + i * 80L + random.nextInt(16);
                elements[i] = new Element(address, length, i >= readables);
                byte[] bytes = new byte[length];
                random.nextBytes(bytes);
                MemorySegment.copy(
                        bytes, 0, guest.at(address, length), ValueLayout.JAVA_BYTE, 0, length);
                if (i < readables) {
                    System.arraycopy(bytes, 0, readable, read, length);
                    read += length;
                }
            }
            int id = ring.offerIndirect(inTable, elements);
            offered.put(id, new Offered(List.of(elements), Arrays.copyOf(readable, read), slot));
            offeredOrder.add(id);
        }

        private void take() throws MalformedChainException {
            int max = 1 + random.nextInt(batch.length);
            int count = queue.take(batch, max);
            for (int i = 0; i < count; i++) {
                Chain chain = batch[i];
                assertThat(chain.head()).isEqualTo(offeredOrder.remove());
                takeOrder.add(chain.head());
                Offered expected = offered.get(chain.head());
                assertThat(bytes(chain)).isEqualTo(expected.readable);
                long writable =
                        expected.elements.stream()
                                .filter(Element::writable)
                                .mapToLong(Element::length)
                                .sum();
                assertThat(chain.writable().total()).isEqualTo(writable);
                taken.add(chain);
            }
            boolean more = queue.arm();
            assertThat(more)
                    .as("armed with %d waiting after taking %d of %d", waiting(), count, max)
                    .isEqualTo(count < max && waiting() > 0);
            if (count < max) {
                assertThat(waiting()).as("what a take leaves").isZero();
                assertNotified();
            }
        }

        private int waiting() {
            return offeredOrder.size();
        }

        /** The queue ran dry and is armed: the next buffer must be notified of. */
        private void assertNotified() {
            int before = ring.offered();
            int inFlight = offered.size();
            offer();
            if (offered.size() > inFlight) {
                assertThat(ring.deviceWants(before, setup.eventIdx)).isTrue();
            }
        }

        private static byte[] bytes(Chain chain) {
            byte[] bytes = new byte[(int) chain.readable().total()];
            chain.readable().get(0, MemorySegment.ofArray(bytes), 0, bytes.length);
            return bytes;
        }

        private void complete(Chain chain, boolean fromAnotherThread) {
            byte[] answer = new byte[(int) chain.writable().total()];
            random.nextBytes(answer);
            int written = answer.length == 0 ? 0 : random.nextInt(answer.length + 1);
            chain.writable().put(0, MemorySegment.ofArray(answer), 0, written);
            answers.put(chain.head(), Arrays.copyOf(answer, written));
            if (!fromAnotherThread) {
                queue.complete(chain, written);
                return;
            }
            long token = chain.token();
            others.execute(() -> {
                if (!queue.completeFrom(token, written) || queue.completeFrom(token, written)) {
                    failure = "token " + token + " was not completed just once";
                }
            });
        }

        private void flush() {
            long usedBefore = queue.usedBuffers();
            int polledBefore = ring.polled();
            boolean notified = queue.flush();
            int seen = 0;
            for (Used used = ring.poll(); used != null; used = ring.poll()) {
                seen++;
                assertUsed(used);
            }
            assertThat(seen).isEqualTo((int) (queue.usedBuffers() - usedBefore));
            served += seen;
            boolean owed = setup.eventIdx && usedBefore == 0 && seen > 0;
            assertThat(notified)
                    .as("notified of %d used", seen)
                    .isEqualTo(owed || ring.driverWants(polledBefore, setup.eventIdx));
        }

        private void assertUsed(Used used) {
            Offered was = offered.remove(used.id());
            assertThat(was).as("%s was offered", used).isNotNull();
            if (setup.inOrder) {
                assertThat(used.id()).isEqualTo(takeOrder.remove());
            }
            byte[] answer = answers.remove(used.id());
            assertThat(used.length()).isEqualTo(answer.length);
            int at = 0;
            for (Element element : was.elements) {
                for (int i = 0;
                        element.writable() && i < element.length() && at < answer.length;
                        i++) {
                    byte there = guest.at(element.address() + i, 1).get(ValueLayout.JAVA_BYTE, 0);
                    if (there != answer[at++]) {
                        throw new AssertionError("byte " + (at - 1) + " of " + used);
                    }
                }
            }
            freeSlots.add(was.slot);
        }
    }
}
