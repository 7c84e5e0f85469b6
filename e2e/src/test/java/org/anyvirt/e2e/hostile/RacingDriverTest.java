package org.anyvirt.e2e.hostile;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_T_IN;
import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_T_OUT;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.anyvirt.driver.block.BlockDriver;
import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.anyvirt.virtio.spec.DescriptorLayout;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * What the device reads is rewritten in a tight loop by another thread while it is served: what was
 * checked must be what is used (CVE-2020-14375). Each request moves bytes between one of two
 * buffers and one place of the disk, whatever it catches; or it breaks the queue. So nothing else
 * may change in memory or on the disk, and nothing else may be seen.
 */
@Timeout(60)
class RacingDriverTest {
    @RegisterExtension static final ServedDisks DISKS = new ServedDisks("racing", "disk");

    private static final long RACE_NANOS = TimeUnit.MILLISECONDS.toNanos(1200);
    private static final int BATCHES = 300;
    private static final int BUFFER = 4096;
    private static final byte IN_MEMORY = 'm';
    private static final byte ON_DISK = 'd';
    private static final byte NOBODYS = 'n';
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

    /** Before, between and behind the buffers is memory of the guest that no request names. */
    private record Place(SharedRange range) {
        Place {
            range.memory().fill(NOBODYS);
        }

        Element buffer(int number) {
            SharedRange buffer = range.slice((1 + 2L * number) * BUFFER, BUFFER);
            buffer.memory().fill(IN_MEMORY);
            return Element.readable(buffer);
        }

        void assertSpared() {
            for (int page = 0; page < 5; page++) {
                MemorySegment memory = range.memory().asSlice((long) page * BUFFER, BUFFER);
                for (long i = 0; i < BUFFER; i++) {
                    byte found = memory.get(JAVA_BYTE, i);
                    boolean right =
                            page % 2 == 0
                                    ? found == NOBODYS
                                    : found == IN_MEMORY || found == ON_DISK;
                    assertThat(right).as("byte %d of page %d is %d", i, page, found).isTrue();
                }
            }
        }
    }

    /** What is offered, and what the other thread does meanwhile; both again and again. */
    private interface Race {
        void offer(RawRing ring);

        void change(long turn);
    }

    private interface Races {
        Race in(HostileSession session, Element first, Element second);
    }

    @BeforeEach
    void markTheDisk() throws IOException {
        try (BlockDriver driver = HonestSession.start(DISKS.socket("disk"), false)) {
            byte[] marks = new byte[16 * BUFFER];
            Arrays.fill(marks, ON_DISK);
            driver.disk().write(HonestSession.TARGET - 8 * BUFFER, marks);
        }
    }

    private static void race(Kind kind, Races races) throws Exception {
        long start = System.nanoTime();
        int served = 0;
        while (System.nanoTime() - start < RACE_NANOS) {
            try (HostileSession session = HostileSession.open(DISKS, "disk", kind)) {
                Place place = new Place(session.allocate(5 * BUFFER));
                Race race = races.in(session, place.buffer(0), place.buffer(1));
                served += race(session, race);
                session.device().stop(0);
                place.assertSpared();
            }
        }
        assertThat(served).as("requests served").isGreaterThan(100);
        assertDiskSpared();
    }

    private static int race(HostileSession session, Race race) throws Exception {
        boolean[] over = {false};
        FutureTask<Void> changes =
                new FutureTask<>(() -> {
                    for (long turn = 0; !isOver(over); turn++) {
                        race.change(turn);
                    }
                    return null;
                });
        Thread.ofPlatform().daemon().name("racer").start(changes);
        try {
            HostileQueue queue = session.queue();
            for (int i = 0; i < BATCHES && !queue.isBroken(); i++) {
                race.offer(queue.ring());
                int offered = (i + 1) * 4;
                queue.publish();
                Patience.until(() -> queue.ring().used() >= offered || queue.isBroken());
            }
            return queue.ring().used();
        } finally {
            synchronized (over) {
                over[0] = true;
            }
            changes.get(Patience.MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    private static boolean isOver(boolean[] over) {
        synchronized (over) {
            return over[0];
        }
    }

    /** Only the place that requests name may have changed, and only to what was in the buffers. */
    private static void assertDiskSpared() throws IOException {
        try (BlockDriver driver = HonestSession.start(DISKS.socket("disk"), true)) {
            byte[] disk = driver.disk().read(HonestSession.TARGET - 8 * BUFFER, 16 * BUFFER);
            for (int i = 0; i < disk.length; i++) {
                boolean named = i / BUFFER == 8 || i / BUFFER == 9;
                assertThat(disk[i] == ON_DISK || named && disk[i] == IN_MEMORY)
                        .as("byte %d is %d", i, disk[i])
                        .isTrue();
            }
        }
    }

    /** Four chains of four descriptors fill the ring, so that the third is the data each time. */
    @EachRing
    void usesWhatItCheckedOfADescriptor(Kind kind) throws Exception {
        race(
                kind,
                (session, first, second) ->
                        new Race() {
                            private final MemorySegment descriptors =
                                    session.ring().memory().descriptorArea().memory();
                            private int offered;

                            @Override
                            public void offer(RawRing ring) {
                                boolean read = offered++ % 2 == 0;
                                Element header =
                                        read ? session.readHeader() : session.writeHeader();
                                Element data = read ? first.withFlags(2) : first;
                                for (int i = 0; i < 4; i++) {
                                    ring.add(
                                            header.ofLength(8),
                                            header.at(header.address() + 8).ofLength(8),
                                            data,
                                            session.status());
                                }
                            }

                            @Override
                            public void change(long turn) {
                                for (long at = 2 * 16; at < 16 * 16; at += 4 * 16) {
                                    changeElement(descriptors, at, turn, first, second);
                                }
                            }
                        });
    }

    @EachRing
    void usesWhatItCheckedOfATable(Kind kind) throws Exception {
        race(
                kind,
                (session, first, second) ->
                        new Race() {
                            private final SharedRange table = session.allocate(48);
                            private int offered;

                            @Override
                            public void offer(RawRing ring) {
                                boolean read = offered++ % 2 == 0;
                                Element header =
                                        read ? session.readHeader() : session.writeHeader();
                                Element data = read ? first.withFlags(2) : first;
                                Element all = ring.table(table, header, data, session.status());
                                for (int i = 0; i < 4; i++) {
                                    ring.add(all);
                                }
                            }

                            @Override
                            public void change(long turn) {
                                changeElement(table.memory(), 16, turn, first, second);
                            }
                        });
    }

    /** Mostly something that could be, so that there is something to serve; at times not. */
    private static void changeElement(
            MemorySegment table, long at, long turn, Element first, Element second) {
        boolean absurd = turn % 512 == 511;
        long address = turn % 2 == 0 ? first.address() : second.address();
        int length = turn % 3 == 0 ? 512 : BUFFER;
        table.set(LONG, at, absurd ? 0xdead_beefL : address);
        table.set(INT, at + DescriptorLayout.LEN, absurd ? -1 : length);
    }

    /** A type and a sector are looked at together, and are two words. */
    @EachRing
    void usesWhatItCheckedOfAHeader(Kind kind) throws Exception {
        race(
                kind,
                (session, first, second) ->
                        new Race() {
                            private final Element header = session.readHeader();
                            private final MemorySegment memory =
                                    session.memory().at(header.address(), 16).memory();

                            @Override
                            public void offer(RawRing ring) {
                                for (int i = 0; i < 4; i++) {
                                    ring.add(
                                            header.ofLength(8),
                                            header.at(header.address() + 8).ofLength(8),
                                            second.withFlags(2),
                                            session.status());
                                }
                            }

                            @Override
                            public void change(long turn) {
                                long sector = HonestSession.TARGET / 512 + turn % 9;
                                memory.set(
                                        INT, 0, turn % 2 == 0 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT);
                                memory.set(LONG, 8, turn % 3 == 0 ? -sector : sector);
                            }
                        });
    }
}
