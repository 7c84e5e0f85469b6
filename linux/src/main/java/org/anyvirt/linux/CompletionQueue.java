package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.anyvirt.linux.RingSetup.IoUringParams;

/**
 * The queue of an io_uring that the kernel fills and this process empties. Data plane, one thread.
 */
final class CompletionQueue {
    private static final VarHandle INT = JAVA_INT.varHandle();

    private final MemorySegment ring;
    private final int entries;
    private final long headAt;
    private final long tailAt;
    private final long cqesAt;

    private int head;

    static final class IoCqringOffsets {
        static final int HEAD = 0;
        static final int TAIL = 4;
        static final int CQES = 20;
        static final long SIZE = 40;

        private IoCqringOffsets() {}
    }

    static final class IoUringCqe {
        static final int USER_DATA = 0;
        static final int RES = 8;
        static final long SIZE = 16;

        private IoUringCqe() {}
    }

    CompletionQueue(MemorySegment params, MemorySegment ring) {
        this.ring = ring;
        entries = params.get(JAVA_INT, IoUringParams.CQ_ENTRIES);
        headAt = offset(params, IoCqringOffsets.HEAD);
        tailAt = offset(params, IoCqringOffsets.TAIL);
        cqesAt = offset(params, IoCqringOffsets.CQES);
    }

    /** How far this queue reaches into the mapping of both rings. */
    static long ringBytes(MemorySegment params) {
        int entries = params.get(JAVA_INT, IoUringParams.CQ_ENTRIES);
        return offset(params, IoCqringOffsets.CQES) + entries * IoUringCqe.SIZE;
    }

    int entries() {
        return entries;
    }

    /** The completions reaped since the ring was made, modulo 2^32. */
    int head() {
        return head;
    }

    int ready() {
        return tail() - head;
    }

    int drain(IoUring.Completions completions) {
        int end = tail();
        int drained = 0;
        // A callee that reaps too moves the head beyond the end: hence the sign, not equality.
        while (end - head > 0) {
            long at = cqesAt + (head & (entries - 1)) * IoUringCqe.SIZE;
            long userData = ring.get(JAVA_LONG, at + IoUringCqe.USER_DATA);
            int result = ring.get(JAVA_INT, at + IoUringCqe.RES);
            head++;
            // Release: the entry has been read when the kernel sees its slot free. And before the
            // call, so that whatever is thrown there, no completion is told twice.
            INT.setRelease(ring, headAt, head);
            completions.completed(userData, result);
            drained++;
        }
        return drained;
    }

    private int tail() {
        // Acquire: the entries before the tail are visible, as the kernel released it after them.
        return (int) INT.getAcquire(ring, tailAt);
    }

    private static long offset(MemorySegment params, int member) {
        return params.get(JAVA_INT, IoUringParams.CQ_OFF + member);
    }
}
