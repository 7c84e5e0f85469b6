package org.anyvirt.transports.vhostuser;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.anyvirt.transports.vhostuser.message.FrontendRequest.*;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.anyvirt.linux.EventFd;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.Mapping;
import org.anyvirt.linux.Memfd;
import org.anyvirt.transports.Await;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.RegionDescription;

/**
 * Guest memory with a split ring in it, and the driver's half of that ring: one buffer to read and
 * one to write a request.
 */
final class TestRing implements AutoCloseable {
    static final int SIZE = 16;
    static final long MEMORY_SIZE = 1 << 16;
    static final long GUEST_ADDRESS = 0x1_0000_0000L;
    static final long USER_ADDRESS = 0x7f00_0000_0000L;

    static final int DESCRIPTORS = 0;
    static final int AVAILABLE = 0x1000;
    static final int USED = 0x2000;
    private static final int BUFFERS = 0x4000;
    private static final int BUFFER_SIZE = 64;

    final Fd file;
    final Mapping mapping;
    final MemorySegment memory;
    final EventFd kick = new EventFd();
    final EventFd call = new EventFd();
    final EventFd error = new EventFd();
    private int available;
    private int used;

    TestRing() throws IOException {
        file = Memfd.create("test-guest", MEMORY_SIZE);
        mapping = Mapping.of(file, 0, MEMORY_SIZE, true);
        memory = mapping.memory();
    }

    static RegionDescription region() {
        return new RegionDescription(GUEST_ADDRESS, MEMORY_SIZE, USER_ADDRESS, 0);
    }

    static Payload.MemoryTable memoryTable() {
        return new Payload.MemoryTable(java.util.List.of(region()));
    }

    static Payload.VringAddress address(int index) {
        return new Payload.VringAddress(
                index,
                0,
                USER_ADDRESS + DESCRIPTORS,
                USER_ADDRESS + USED,
                USER_ADDRESS + AVAILABLE,
                0);
    }

    /** Everything that a ring needs, in the order of QEMU; not enabled. */
    void setUp(TestFrontend frontend) throws Exception {
        frontend.done(SET_MEM_TABLE, memoryTable(), file.number());
        frontend.done(SET_VRING_NUM, 0, SIZE);
        frontend.done(SET_VRING_BASE, 0, used);
        frontend.done(SET_VRING_ADDR, address(0));
        frontend.descriptor(SET_VRING_CALL, 0, call.fd());
        frontend.descriptor(SET_VRING_ERR, 0, error.fd());
        frontend.descriptor(SET_VRING_KICK, 0, kick.fd());
    }

    /** Makes a request available, and does not notify. */
    void offer(long value) {
        int slot = available % (SIZE / 2);
        int head = slot * 2;
        long readable = BUFFERS + (long) head * BUFFER_SIZE;
        memory.set(JAVA_LONG_UNALIGNED, readable, value);
        memory.set(JAVA_LONG_UNALIGNED, readable + BUFFER_SIZE, 0);
        descriptor(head, readable, 8, 1, head + 1);
        descriptor(head + 1, readable + BUFFER_SIZE, 8, 2, 0);
        memory.set(JAVA_SHORT, AVAILABLE + 4 + 2L * (available % SIZE), (short) head);
        available++;
        VarHandle.releaseFence();
        memory.set(JAVA_SHORT, AVAILABLE + 2, (short) available);
        VarHandle.fullFence();
    }

    private void descriptor(int index, long at, int length, int flags, int next) {
        long descriptor = DESCRIPTORS + 16L * index;
        memory.set(JAVA_LONG_UNALIGNED, descriptor, GUEST_ADDRESS + at);
        memory.set(JAVA_INT_UNALIGNED, descriptor + 8, length);
        memory.set(JAVA_SHORT, descriptor + 12, (short) flags);
        memory.set(JAVA_SHORT, descriptor + 14, (short) next);
    }

    /** Offers a head that is not in the table. */
    void offerNonsense() {
        memory.set(JAVA_SHORT, AVAILABLE + 4 + 2L * (available % SIZE), (short) 999);
        available++;
        VarHandle.releaseFence();
        memory.set(JAVA_SHORT, AVAILABLE + 2, (short) available);
    }

    void notifyAvailable() throws IOException {
        kick.signal();
    }

    boolean hasUsed() {
        VarHandle.fullFence();
        return (memory.get(JAVA_SHORT, USED + 2) & 0xffff) != (used & 0xffff);
    }

    /** Waits for the next used buffer, and returns what was written to it. */
    long takeUsed() {
        Await.until("a used buffer", this::hasUsed);
        VarHandle.acquireFence();
        long element = USED + 4 + 8L * (used % SIZE);
        int head = memory.get(JAVA_INT_UNALIGNED, element);
        assertThat(memory.get(JAVA_INT_UNALIGNED, element + 4)).isEqualTo(8);
        used++;
        return memory.get(JAVA_LONG_UNALIGNED, BUFFERS + (long) (head + 1) * BUFFER_SIZE);
    }

    /** One request to its end. */
    void exchange(long value) throws IOException {
        offer(value);
        notifyAvailable();
        assertThat(takeUsed()).isEqualTo(~value);
    }

    void awaitCall() {
        Await.until("a used buffer notification", () -> call.drain() > 0);
    }

    int available() {
        return available;
    }

    @Override
    public void close() {
        mapping.close();
        file.close();
        kick.close();
        call.close();
        error.close();
    }
}
