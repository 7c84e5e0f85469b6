package org.anyvirt.devices.block;

import static org.anyvirt.virtio.spec.BlockLayout.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.anyvirt.virtio.queue.MalformedChainException;
import org.anyvirt.virtio.spec.FeatureBits;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class BlockHandlerTest {
    private static final int CAPACITY = 1 << 20;
    private static final int SECTORS = CAPACITY / 512;

    private HeldStore store = new HeldStore(CAPACITY);
    private Rig rig = Rig.of(store, VIRTIO_BLK_F_FLUSH);

    @AfterEach
    void close() {
        rig.close();
    }

    private void rig(HeldStore other, int... features) {
        rig.close();
        store = other;
        rig = Rig.of(other, features);
    }

    @Test
    void readsBackWhatWasWritten() throws Exception {
        byte[] data = pattern(1, 4096);
        Rig.Request write = rig.out(8, data).run();
        assertThat(write.status()).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(write.written()).isEqualTo(1);
        Rig.Request read = rig.in(8, 4096).run();
        assertThat(read.status()).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(read.data()).isEqualTo(data);
        assertThat(read.written()).isEqualTo(4097);
        assertThat(store.log).containsExactly("write 4096+4096", "read 4096+4096");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void servesEveryLayoutOfDescriptors(boolean packed) throws Exception {
        rig(
                new HeldStore(CAPACITY),
                VIRTIO_BLK_F_FLUSH,
                packed ? FeatureBits.VIRTIO_F_RING_PACKED : FeatureBits.VIRTIO_F_EVENT_IDX);
        long seed = Long.getLong("anyvirt.seed", System.nanoTime());
        System.getLogger("test").log(System.Logger.Level.INFO, "-Danyvirt.seed=" + seed);
        SplittableRandom random = new SplittableRandom(seed);
        for (int i = 0; i < 500; i++) {
            int sectors = random.nextInt(5);
            long sector = random.nextInt(SECTORS - sectors);
            byte[] data = pattern(i, sectors * 512);
            Rig.Request write = rig.request();
            byte[] readable = concat(Rig.header(VIRTIO_BLK_T_OUT, sector), data);
            for (byte[] part : split(random, readable)) {
                write.readable(part);
            }
            write.writable(1).run();
            assertThat(write.status()).as("-Danyvirt.seed=%d", seed).isZero();

            Rig.Request read = rig.request();
            for (byte[] part : split(random, Rig.header(VIRTIO_BLK_T_IN, sector))) {
                read.readable(part);
            }
            for (byte[] part : split(random, new byte[data.length + 1])) {
                read.writable(part.length);
            }
            read.run();
            assertThat(read.status()).as("-Danyvirt.seed=%d", seed).isZero();
            assertThat(read.data()).as("-Danyvirt.seed=%d", seed).isEqualTo(data);
            assertThat(read.written()).isEqualTo(data.length + 1);
        }
    }

    @Test
    void countsNoBytesBeforeAStatusThatTheyDoNotReach() throws Exception {
        Rig.Request write =
                rig.request(VIRTIO_BLK_T_OUT, 0).readable(new byte[512]).writable(9).run();
        assertThat(write.status()).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(write.written()).isZero();
    }

    @Test
    void breaksOnAShortHeader() throws Exception {
        Rig.Request request = rig.request().readable(new byte[15]).writable(513).run();
        assertThat(request.status()).isEqualTo(VIRTIO_BLK_S_IOERR);
        assertThat(request.written()).isZero();
        assertThatThrownBy(rig::turn)
                .isInstanceOf(MalformedChainException.class)
                .hasMessageContaining("queue 3, head ")
                .hasMessageContaining("15 device-readable and 513 device-writable bytes");
        assertThat(rig.queue.inFlight()).isZero();
    }

    @Test
    void breaksOnARequestWithoutRoomForTheStatus() throws Exception {
        rig.request(VIRTIO_BLK_T_OUT, 0).readable(new byte[512]).send();
        Rig.Request behind = rig.in(0, 512).send();
        assertThat(rig.turn()).isPositive();
        assertThat(behind.status()).as("it came in the same turn").isEqualTo(VIRTIO_BLK_S_OK);
        assertThatThrownBy(rig::turn)
                .isInstanceOf(MalformedChainException.class)
                .hasMessageContaining("528 device-readable and 0 device-writable bytes");
        assertThat(rig.queue.inFlight()).isZero();
        assertThat(store.log).containsExactly("read 0+512");
    }

    @Test
    void finishesWhatIsInFlightWhenBroken() throws Exception {
        store.holds = true;
        Rig.Request read = rig.in(0, 512).run();
        rig.request().readable(new byte[1]).writable(1).run();
        assertThatThrownBy(rig::turn).isInstanceOf(MalformedChainException.class);
        rig.handler.cancel();
        store.holds = false;
        rig.turn();
        assertThat(read.status()).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(rig.queue.inFlight()).isZero();
    }

    @ParameterizedTest
    @CsvSource({
        "2048, 512",
        "2047, 1024",
        "0, 1048577",
        "0, 100",
        "-1, 512",
        "0x7fffffffffffffff, 512",
        "0x0080000000000000, 512",
        "2049, 0",
    })
    void refusesWhatIsNotInsideTheCapacity(String sector, int length) throws Exception {
        long at = Long.decode(sector);
        Rig.Request read = rig.in(at, length).run();
        assertThat(read.status()).isEqualTo(VIRTIO_BLK_S_IOERR);
        assertThat(read.written()).isEqualTo(length == 0 ? 1 : 0);
        Rig.Request write = rig.out(at, new byte[length]).run();
        assertThat(write.status()).isEqualTo(VIRTIO_BLK_S_IOERR);
        assertThat(write.written()).isEqualTo(1);
        assertThat(store.log).isEmpty();
        assertThat(rig.device.counters().refused()).isEqualTo(2);
    }

    @Test
    void refusesHalfABlock() throws Exception {
        rig(new HeldStore(CAPACITY, new BlockStore.Limits(false, 4096, 4096, true, 4096, true)));
        assertThat(rig.in(0, 512).run().status()).isEqualTo(VIRTIO_BLK_S_IOERR);
        assertThat(rig.in(1, 4096).run().status()).isEqualTo(VIRTIO_BLK_S_IOERR);
        assertThat(rig.in(8, 4096).run().status()).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(store.log).containsExactly("read 4096+4096");
    }

    @Test
    void doesNothingForARequestOfNothing() throws Exception {
        assertThat(rig.in(SECTORS, 0).run().status()).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(rig.out(0, new byte[0]).run().status()).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(store.log).isEmpty();
    }

    @Test
    void writesNothingToAReadOnlyDisk() throws Exception {
        rig(new HeldStore(CAPACITY, new BlockStore.Limits(true, 512, 4096, true, 4096, true)));
        assertThat(rig.out(0, pattern(1, 512)).run().status()).isEqualTo(VIRTIO_BLK_S_IOERR);
        for (int type : new int[] {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES}) {
            Rig.Request request = rig.request(type, 0).readable(Rig.range(0, 1, 0)).writable(1);
            assertThat(request.run().status()).isEqualTo(VIRTIO_BLK_S_IOERR);
        }
        assertThat(store.log).isEmpty();
        assertThat(rig.in(0, 512).run().status()).isEqualTo(VIRTIO_BLK_S_OK);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 10, 14, 15, 26, -1, 0x80000000, 0x80000001})
    void doesNotSupportUnknownRequests(int type) throws Exception {
        Rig.Request request = rig.request(type, 0).readable(new byte[16]).writable(512);
        request.writable(1).run();
        assertThat(request.status()).isEqualTo(VIRTIO_BLK_S_UNSUPP);
        assertThat(request.written()).isZero();
        assertThat(store.log).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"20, 21", "5, 6", "0, 1", "30, 20"})
    void tellsItsIdentity(int room, int written) throws Exception {
        rig.close();
        var config = new BlockDevice.Config(null, null, "disk-0123", false, false);
        rig = new Rig(new BlockDevice(config, store), 16, Rig.RING);
        Rig.Request request = rig.request(VIRTIO_BLK_T_GET_ID, 0).writable(room).writable(1).run();
        assertThat(request.status()).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(request.written()).isEqualTo(written);
        byte[] id = Arrays.copyOf("disk-0123".getBytes(), 20);
        int length = Math.min(room, 20);
        assertThat(Arrays.copyOf(request.data(), length)).isEqualTo(Arrays.copyOf(id, length));
    }

    @Test
    void answersWithAnErrorWhatTheStoreCannotDo() throws Exception {
        store.error = 5;
        Rig.Request read = rig.in(0, 512).run();
        assertThat(read.status()).isEqualTo(VIRTIO_BLK_S_IOERR);
        assertThat(read.written()).isZero();
        assertThat(rig.out(0, new byte[512]).run().status()).isEqualTo(VIRTIO_BLK_S_IOERR);
        Rig.Request flush = rig.request(VIRTIO_BLK_T_FLUSH, 0).writable(1).run();
        assertThat(flush.status()).isEqualTo(VIRTIO_BLK_S_IOERR);
        assertThat(flush.written()).isEqualTo(1);
        store.error = 0;
        assertThat(rig.in(0, 512).run().status()).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(rig.device.counters().failed()).isEqualTo(3);
        assertThat(rig.device.counters().reads()).isEqualTo(1);
    }

    @Test
    void keepsAFullRingInFlight() throws Exception {
        store.holds = true;
        List<Rig.Request> requests = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            requests.add(rig.in(i, 512).send());
        }
        while (rig.turn() > 0) {}
        assertThat(rig.queue.inFlight()).isEqualTo(64);
        assertThat(requests).noneMatch(Rig.Request::isUsed);
        store.holds = false;
        rig.turn();
        assertThat(requests).allMatch(request -> request.isUsed() && request.status() == 0);
        assertThat(rig.turn()).isZero();
    }

    @Test
    void takesNoMoreThanItsBudgetInATurn() throws Exception {
        for (int i = 0; i < 10; i++) {
            rig.in(i, 512).send();
        }
        rig.handler.poll(3);
        assertThat(store.log).hasSize(3);
    }

    @Test
    void takesNothingMoreWhenCancelled() throws Exception {
        store.holds = true;
        Rig.Request before = rig.in(0, 512).run();
        rig.handler.cancel();
        Rig.Request after = rig.in(1, 512).send();
        store.holds = false;
        rig.turn();
        assertThat(before.isUsed()).isTrue();
        assertThat(after.isUsed()).isFalse();
        assertThat(rig.queue.inFlight()).isZero();
    }

    @Test
    void goesOnWithARequestsNextRangeWhenCancelled() throws Exception {
        store.holds = true;
        Rig.Request request =
                rig.request(VIRTIO_BLK_T_DISCARD, 0)
                        .readable(Rig.range(0, 8, 0))
                        .readable(Rig.range(16, 8, 0))
                        .writable(1)
                        .run();
        rig.handler.cancel();
        store.holds = false;
        while (rig.turn() > 0) {}
        assertThat(request.status()).isEqualTo(VIRTIO_BLK_S_OK);
        assertThat(store.log).containsExactly("discard 0+4096", "discard 8192+4096");
    }

    @Test
    void closesWithRequestsInFlight() throws Exception {
        store.holds = true;
        Rig.Request read = rig.in(0, 512).run();
        rig.handler.cancel();
        rig.handler.close();
        assertThat(store.log).endsWith("close");
        assertThat(read.isUsed()).isFalse();
    }

    @Test
    void countsWhatItDid() throws Exception {
        rig.out(0, new byte[1024]).run();
        rig.in(0, 512).run();
        rig.in(0, 512).run();
        rig.request(VIRTIO_BLK_T_FLUSH, 0).writable(1).run();
        rig.request(VIRTIO_BLK_T_DISCARD, 0).readable(Rig.range(0, 1, 0)).writable(1).run();
        rig.request(VIRTIO_BLK_T_WRITE_ZEROES, 0).readable(Rig.range(0, 1, 0)).writable(1).run();
        BlockCounters expected = new BlockCounters(2, 1024, 1, 1024, 1, 1, 1, 0, 0);
        assertThat(rig.device.counters()).isEqualTo(expected);
        rig.handler.close();
        assertThat(rig.device.counters()).isEqualTo(expected);
    }

    @Test
    void allocatesNothingForARequest() throws Exception {
        store.logs = false;
        var thread =
                (com.sun.management.ThreadMXBean)
                        java.lang.management.ManagementFactory.getThreadMXBean();
        RingLoad load = new RingLoad(rig);
        // What the interpreter and the first compiler allocate is not the code's.
        long allocated = Long.MAX_VALUE;
        for (int round = 0; round < 20 && allocated > 0; round++) {
            long before = thread.getCurrentThreadAllocatedBytes();
            load.run(200_000);
            allocated = thread.getCurrentThreadAllocatedBytes() - before;
        }
        assertThat(allocated).as("bytes for 200,000 requests, once compiled").isZero();
    }

    private static byte[] pattern(int seed, int length) {
        byte[] bytes = new byte[length];
        new java.util.Random(seed).nextBytes(bytes);
        return bytes;
    }

    private static byte[] concat(byte[] first, byte[] second) {
        byte[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }

    private static List<byte[]> split(SplittableRandom random, byte[] bytes) {
        List<byte[]> parts = new ArrayList<>();
        for (int at = 0; at < bytes.length; ) {
            int left = bytes.length - at;
            int length = parts.size() == 20 ? left : 1 + random.nextInt(left);
            parts.add(Arrays.copyOfRange(bytes, at, at + length));
            at += length;
        }
        return parts;
    }
}
