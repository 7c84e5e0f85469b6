package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_T_IN;
import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_T_OUT;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.LockSupport;
import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.driver.queue.QueueMemory;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.anyvirt.linux.EventFd;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.Mapping;
import org.anyvirt.linux.Memfd;
import org.anyvirt.linux.OpenFile;

/**
 * The guest of random sessions: one region of memory with a ring for each queue and something to
 * build requests from, and the descriptors that wake both sides.
 *
 * <p>Offsets in the region: each queue has an area of its own.
 */
final class RandomGuest implements AutoCloseable {
    static final int QUEUES = 4;
    static final int SIZE = 16;
    static final long MEMORY_SIZE = 1 << 20;
    static final long GUEST_ADDRESS = 1L << 30;
    static final long USER_ADDRESS = 0x7100_0000_0000L;

    private static final int AREA = 1 << 16;
    private static final int AVAILABLE = 0x1000;
    private static final int USED = 0x2000;
    private static final int HEADER = 0x3000;
    private static final int STATUS = 0x3100;
    private static final int TABLE = 0x4000;
    private static final int DATA = 0x8000;
    private static final int DATA_SIZE = 0x8000;

    private final Fd fd = Memfd.create("guest-memory", MEMORY_SIZE);
    private final Mapping mapping = Mapping.of(fd, 0, MEMORY_SIZE, true);
    private final MemorySegment memory = mapping.memory();
    private final EventFd kick = new EventFd();
    private final EventFd call = new EventFd();
    private final RawRing[] rings = new RawRing[QUEUES];

    RandomGuest() throws IOException {}

    /** Everything as if the guest had just started. */
    void reset(Kind kind) {
        memory.fill((byte) 0);
        for (int i = 0; i < QUEUES; i++) {
            QueueMemory ring =
                    new QueueMemory(
                            SIZE,
                            range(i, 0, 16 * SIZE),
                            range(i, AVAILABLE, 6 + 2 * SIZE),
                            range(i, USED, 6 + 8 * SIZE),
                            null,
                            0);
            rings[i] = kind.over(ring);
        }
    }

    private SharedRange range(int queue, int at, int size) {
        long offset = (long) queue * AREA + at;
        return new SharedRange(GUEST_ADDRESS + offset, memory.asSlice(offset, size));
    }

    Fd fd() {
        return fd;
    }

    Fd kick() {
        return kick.fd();
    }

    Fd call() {
        return call.fd();
    }

    static long descriptors(int queue) {
        return USER_ADDRESS + (long) queue * AREA;
    }

    static long available(int queue) {
        return descriptors(queue) + AVAILABLE;
    }

    static long used(int queue) {
        return descriptors(queue) + USED;
    }

    /** Puts something into a ring, good or bad, and tells the device. */
    void drive(RandomChoice choice) throws IOException {
        if (choice.oneIn(40)) {
            kick.signal();
            vanish(choice);
            return;
        }
        int queue = choice.below(QUEUES);
        RawRing ring = rings[queue];
        switch (choice.below(8)) {
            case 0 -> scribble(choice, queue, 0, 16 * SIZE);
            case 1 -> scribble(choice, queue, AVAILABLE, 6 + 2 * SIZE);
            case 2 -> scribble(choice, queue, 0, HEADER);
            case 3 -> ring.add(randomChain(choice, queue));
            case 4 -> ring.add(table(choice, queue, randomChain(choice, queue)));
            case 5 -> ring.add(table(choice, queue, request(choice, queue)));
            default -> ring.add(request(choice, queue));
        }
        ring.publish();
        kick.signal();
    }

    /** The memory is gone for a moment, and comes back empty. */
    private void vanish(RandomChoice choice) throws IOException {
        OpenFile.truncate(fd, choice.oneIn(2) ? 0 : AREA + DATA);
        LockSupport.parkNanos(choice.below(200_000));
        OpenFile.truncate(fd, MEMORY_SIZE);
    }

    private void scribble(RandomChoice choice, int queue, int at, int length) {
        byte[] bytes = choice.bytes(1 + choice.below(length));
        long to = (long) queue * AREA + at + choice.below(length - bytes.length + 1);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, memory, to, bytes.length);
    }

    /** A read or a write where attacks may. */
    private Element[] request(RandomChoice choice, int queue) {
        boolean read = choice.oneIn(2);
        SharedRange header = range(queue, HEADER, 16);
        long sector = (HonestSession.TARGET + choice.below(64) * 512L) / 512;
        HostileSession.putHeader(header, read ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, sector);
        SharedRange data = range(queue, DATA, 512 * (1 + choice.below(DATA_SIZE / 512)));
        return new Element[] {
            Element.readable(header),
            read ? Element.writable(data) : Element.readable(data),
            Element.writable(range(queue, STATUS, 1))
        };
    }

    /** A request of which some elements are not what they were. */
    private Element[] randomChain(RandomChoice choice, int queue) {
        Element[] chain = request(choice, queue);
        if (choice.oneIn(3)) {
            SharedRange header = range(queue, HEADER, 16);
            HostileSession.putHeader(header, (int) choice.number(), choice.number());
        }
        for (int i = 0; i < chain.length; i++) {
            chain[i] =
                    switch (choice.below(6)) {
                        case 0 -> chain[i].at(choice.number());
                        case 1 -> chain[i].at(GUEST_ADDRESS + choice.number());
                        case 2 -> chain[i].ofLength(choice.number());
                        case 3 ->
                                new Element(
                                        chain[i].address(),
                                        chain[i].length(),
                                        (int) choice.number() & 0xffff);
                        default -> chain[i];
                    };
        }
        return chain;
    }

    private Element table(RandomChoice choice, int queue, Element... entries) {
        Element table = rings[queue].table(range(queue, TABLE, 16 * entries.length), entries);
        return choice.oneIn(4) ? table.ofLength(choice.number()) : table;
    }

    @Override
    public void close() {
        mapping.close();
        fd.close();
        kick.close();
        call.close();
    }
}
