package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.anyvirt.linux.RingSetup.IoUringParams;

/**
 * The queue of an io_uring that this process fills and the kernel empties. Data plane, one thread.
 */
final class SubmissionQueue {
    static final int IORING_SQ_CQ_OVERFLOW = 1 << 1;
    static final int IORING_SQ_TASKRUN = 1 << 2;

    private static final VarHandle INT = JAVA_INT.varHandle();

    private final MemorySegment ring;
    private final MemorySegment sqes;
    private final int entries;
    private final long headAt;
    private final long tailAt;
    private final long flagsAt;

    private int tail; // the kernel sees it when published

    static final class IoSqringOffsets {
        static final int HEAD = 0;
        static final int TAIL = 4;
        static final int FLAGS = 16;
        static final int ARRAY = 24;
        static final long SIZE = 40;

        private IoSqringOffsets() {}
    }

    static final class IoUringSqe {
        static final int OPCODE = 0; // 8 bits; then flags and ioprio, which are 0 here
        static final int FD = 4;
        static final int OFF = 8;
        static final int ADDR = 16;
        static final int LEN = 24;
        static final int RW_FLAGS = 28; // one union has the flags of every operation
        static final int USER_DATA = 32;
        static final int ADDR3 = 48;
        static final long SIZE = 64;

        private IoUringSqe() {}
    }

    SubmissionQueue(MemorySegment params, MemorySegment ring, MemorySegment sqes) {
        this.ring = ring;
        this.sqes = sqes;
        entries = entries(params);
        headAt = offset(params, IoSqringOffsets.HEAD);
        tailAt = offset(params, IoSqringOffsets.TAIL);
        flagsAt = offset(params, IoSqringOffsets.FLAGS);
        // The i-th slot always names the i-th entry: an indirection that nobody needs here.
        long arrayAt = offset(params, IoSqringOffsets.ARRAY);
        for (int i = 0; i < entries; i++) {
            ring.set(JAVA_INT, arrayAt + (long) i * Integer.BYTES, i);
        }
    }

    /** How far this queue reaches into the mapping of both rings. */
    static long ringBytes(MemorySegment params) {
        return offset(params, IoSqringOffsets.ARRAY) + (long) entries(params) * Integer.BYTES;
    }

    static long entryBytes(MemorySegment params) {
        return entries(params) * IoUringSqe.SIZE;
    }

    /** The entries that the kernel has taken since the ring was made, modulo 2^32. */
    int head() {
        // Acquire: the kernel has read the entries before its head, so they may be overwritten.
        return (int) INT.getAcquire(ring, headAt);
    }

    /** Entries that the kernel has not taken. */
    int pending() {
        return tail - head();
    }

    int space() {
        return entries - pending();
    }

    void prepare(
            int opcode, int fd, long address, int length, long offset, int opFlags, long userData) {
        if (space() <= 0) {
            throw new AssertionError("all " + entries + " entries are prepared: submit first");
        }
        long at = (tail & (entries - 1)) * IoUringSqe.SIZE;
        sqes.set(JAVA_INT, at + IoUringSqe.OPCODE, opcode);
        sqes.set(JAVA_INT, at + IoUringSqe.FD, fd);
        sqes.set(JAVA_LONG, at + IoUringSqe.OFF, offset);
        sqes.set(JAVA_LONG, at + IoUringSqe.ADDR, address);
        sqes.set(JAVA_INT, at + IoUringSqe.LEN, length);
        sqes.set(JAVA_INT, at + IoUringSqe.RW_FLAGS, opFlags);
        sqes.set(JAVA_LONG, at + IoUringSqe.USER_DATA, userData);
        sqes.set(JAVA_LONG, at + IoUringSqe.ADDR3, 0);
        // Nobody writes the other members: they are zero since the ring was made.
        tail++;
    }

    /** A further argument of the entry prepared last. */
    void third(long argument) {
        sqes.set(
                JAVA_LONG,
                (tail - 1 & (entries - 1)) * IoUringSqe.SIZE + IoUringSqe.ADDR3,
                argument);
    }

    /** Shows the prepared entries to the kernel, which takes them at the next io_uring_enter(2). */
    void publish() {
        // Release: an entry's contents are visible before the tail that counts it.
        INT.setRelease(ring, tailAt, tail);
    }

    /** Takes back what is prepared and not taken. */
    void discard() {
        tail = head();
        publish();
    }

    /**
     * Whether the kernel has completions that are not in the queue: put aside as it was full, or
     * not yet made because this thread was not to be interrupted.
     */
    boolean isHoldingCompletionsBack() {
        // Opaque: no other read relies on it, and a flag missed now keeps the descriptor readable.
        int flags = (int) INT.getOpaque(ring, flagsAt);
        return (flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) != 0;
    }

    private static int entries(MemorySegment params) {
        return params.get(JAVA_INT, IoUringParams.SQ_ENTRIES);
    }

    private static long offset(MemorySegment params, int member) {
        return params.get(JAVA_INT, IoUringParams.SQ_OFF + member);
    }
}
