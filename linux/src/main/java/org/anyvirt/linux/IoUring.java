package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.anyvirt.linux.RingSetup.IoUringParams;

/**
 * Asynchronous file I/O: a submission queue to the kernel and a completion queue back, in shared
 * memory (io_uring(7)).
 *
 * <p>Data plane: nothing here allocates after construction. One thread at a time uses a ring; the
 * one that made it may hand it over. A thread that submitted must not end before its requests have,
 * as the kernel cancels them then. Addresses are of native memory, which must stay until the
 * request has completed.
 *
 * <p>Never more than {@link #inFlight()} completions come: one for each submitted entry.
 */
public final class IoUring implements AutoCloseable {
    public static final int IORING_OP_NOP = 0;
    public static final int IORING_OP_READV = 1;
    public static final int IORING_OP_WRITEV = 2;
    public static final int IORING_OP_FSYNC = 3;
    public static final int IORING_OP_POLL_ADD = 6;
    public static final int IORING_OP_ASYNC_CANCEL = 14;
    public static final int IORING_OP_FALLOCATE = 17;
    public static final int IORING_OP_READ = 22;
    public static final int IORING_OP_WRITE = 23;

    /**
     * For {@code opFlags} of a write: stable when it completes, with what is needed to read it
     * back.
     */
    public static final int RWF_DSYNC = 0x2;

    static final int IORING_FSYNC_DATASYNC = 1;
    static final int IORING_ASYNC_CANCEL_ANY = 1 << 2;
    static final int IORING_ENTER_GETEVENTS = 1 << 0;
    static final int IORING_ENTER_EXT_ARG = 1 << 3;
    static final int IORING_SQ_CQ_OVERFLOW = 1 << 1;
    static final int IORING_SQ_TASKRUN = 1 << 2;
    static final long IORING_OFF_SQ_RING = 0;
    static final long IORING_OFF_SQES = 0x10000000;
    static final int NR_IO_URING_ENTER = 426;

    private static final VarHandle INT = JAVA_INT.varHandle();
    private static final Completions IGNORED = (userData, result) -> {};

    private final Fd fd;
    private final Mapping rings;
    private final Mapping entries;
    private final MemorySegment ring;
    private final MemorySegment sqes;
    private final MemorySegment wait =
            Arena.ofAuto().allocate(GeteventsArg.SIZE + Timespec.SIZE, 8);

    private final int sqEntries;
    private final int cqEntries;
    private final long sqHeadAt;
    private final long sqTailAt;
    private final long sqFlagsAt;
    private final long cqHeadAt;
    private final long cqTailAt;
    private final long cqesAt;

    private int sqTail; // ours; the kernel sees it at submission
    private int cqHead; // ours; the kernel sees it at each reaped entry

    /** Told of each completion. */
    public interface Completions {
        /**
         * @param userData as given to {@link #prepare}
         * @param result what the system call of that name returns, or a negated error number
         */
        void completed(long userData, int result);
    }

    static final class IoSqringOffsets {
        static final int HEAD = 0;
        static final int TAIL = 4;
        static final int FLAGS = 16;
        static final int ARRAY = 24;

        private IoSqringOffsets() {}
    }

    static final class IoCqringOffsets {
        static final int HEAD = 0;
        static final int TAIL = 4;
        static final int CQES = 20;

        private IoCqringOffsets() {}
    }

    static final class IoUringSqe {
        static final int OPCODE = 0; // 8 bits, then flags and ioprio, which are 0 here
        static final int FD = 4;
        static final int OFF = 8;
        static final int ADDR = 16;
        static final int LEN = 24;
        static final int RW_FLAGS = 28; // of every operation: one union
        static final int USER_DATA = 32;
        static final long SIZE = 64;

        private IoUringSqe() {}
    }

    static final class IoUringCqe {
        static final int USER_DATA = 0;
        static final int RES = 8;
        static final long SIZE = 16;

        private IoUringCqe() {}
    }

    static final class GeteventsArg {
        static final int TS = 16;
        static final long SIZE = 24;

        private GeteventsArg() {}
    }

    static final class Timespec {
        static final int TV_SEC = 0;
        static final int TV_NSEC = 8;
        static final long SIZE = 16;

        private Timespec() {}
    }

    /**
     * @param entries how many requests can be prepared at a time; a power of two, or rounded up to
     *     one, and cut to what the kernel allows. Twice as many completions wait before the kernel
     *     has to put some aside
     */
    public IoUring(int entries) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment params = arena.allocate(IoUringParams.SIZE, 8);
            fd = RingSetup.create(entries, params);
            sqEntries = params.get(JAVA_INT, IoUringParams.SQ_ENTRIES);
            cqEntries = params.get(JAVA_INT, IoUringParams.CQ_ENTRIES);
            sqHeadAt = params.get(JAVA_INT, IoUringParams.SQ_OFF + IoSqringOffsets.HEAD);
            sqTailAt = params.get(JAVA_INT, IoUringParams.SQ_OFF + IoSqringOffsets.TAIL);
            sqFlagsAt = params.get(JAVA_INT, IoUringParams.SQ_OFF + IoSqringOffsets.FLAGS);
            cqHeadAt = params.get(JAVA_INT, IoUringParams.CQ_OFF + IoCqringOffsets.HEAD);
            cqTailAt = params.get(JAVA_INT, IoUringParams.CQ_OFF + IoCqringOffsets.TAIL);
            cqesAt = params.get(JAVA_INT, IoUringParams.CQ_OFF + IoCqringOffsets.CQES);
            long arrayAt = params.get(JAVA_INT, IoUringParams.SQ_OFF + IoSqringOffsets.ARRAY);
            long ringSize =
                    Math.max(
                            arrayAt + (long) sqEntries * Integer.BYTES,
                            cqesAt + cqEntries * IoUringCqe.SIZE);
            rings = map(IORING_OFF_SQ_RING, ringSize);
            this.entries = map(IORING_OFF_SQES, sqEntries * IoUringSqe.SIZE);
            ring = rings.memory();
            sqes = this.entries.memory();
            // The i-th slot always names the i-th entry: an indirection that nobody needs.
            for (int i = 0; i < sqEntries; i++) {
                ring.set(JAVA_INT, arrayAt + (long) i * Integer.BYTES, i);
            }
        }
    }

    /** The ring's descriptor, readable for poll and epoll while completions wait. */
    public int fd() {
        return fd.number();
    }

    /** How many more requests can be prepared before {@link #submit}. */
    public int space() {
        return sqEntries - (sqTail - sqHead());
    }

    /** Requests submitted whose completions have not been reaped. */
    public int inFlight() {
        return sqHead() - cqHead; // each entry the kernel takes yields one completion
    }

    /**
     * Fills the next entry in; {@link #space} must be positive. The meaning of each number is the
     * operation's, see io_uring_enter(2).
     *
     * @param userData comes back with the completion
     */
    public void prepare(
            int opcode, int fd, long address, int length, long offset, int opFlags, long userData) {
        if (space() <= 0) {
            throw new AssertionError("prepared more than " + sqEntries + " entries, unsubmitted");
        }
        long at = (sqTail & (sqEntries - 1)) * IoUringSqe.SIZE;
        sqes.set(JAVA_INT, at + IoUringSqe.OPCODE, opcode);
        sqes.set(JAVA_INT, at + IoUringSqe.FD, fd);
        sqes.set(JAVA_LONG, at + IoUringSqe.OFF, offset);
        sqes.set(JAVA_LONG, at + IoUringSqe.ADDR, address);
        sqes.set(JAVA_INT, at + IoUringSqe.LEN, length);
        sqes.set(JAVA_INT, at + IoUringSqe.RW_FLAGS, opFlags);
        sqes.set(JAVA_LONG, at + IoUringSqe.USER_DATA, userData);
        // The remaining members are zero since the ring was made.
        sqTail++;
    }

    public void nop(long userData) {
        prepare(IORING_OP_NOP, -1, 0, 0, 0, 0, userData);
    }

    public void read(int fd, long address, int length, long offset, long userData) {
        prepare(IORING_OP_READ, fd, address, length, offset, 0, userData);
    }

    public void write(int fd, long address, int length, long offset, long userData) {
        prepare(IORING_OP_WRITE, fd, address, length, offset, 0, userData);
    }

    /**
     * @param iovecs address of {@code count} iovecs, which may be reused after submission
     */
    public void readv(int fd, long iovecs, int count, long offset, long userData) {
        prepare(IORING_OP_READV, fd, iovecs, count, offset, 0, userData);
    }

    /** As {@link #readv}, the other way. */
    public void writev(int fd, long iovecs, int count, long offset, long userData) {
        prepare(IORING_OP_WRITEV, fd, iovecs, count, offset, 0, userData);
    }

    /** Covers writes that have completed, not those still in flight. */
    public void fsync(int fd, boolean dataOnly, long userData) {
        int flags = dataOnly ? IORING_FSYNC_DATASYNC : 0;
        prepare(IORING_OP_FSYNC, fd, 0, 0, 0, flags, userData);
    }

    /**
     * @param mode {@code FALLOC_FL_*} of {@link OpenFile}
     */
    public void fallocate(int fd, int mode, long offset, long length, long userData) {
        prepare(IORING_OP_FALLOCATE, fd, length, mode, offset, 0, userData);
    }

    /** Asks to cancel the request with {@code target} as its user data; both complete. */
    public void cancel(long target, long userData) {
        prepare(IORING_OP_ASYNC_CANCEL, -1, target, 0, 0, 0, userData);
    }

    /**
     * Hands all prepared entries to the kernel: how many it took. Fewer when it lacks memory or
     * room for completions, which {@link #reap} makes; the rest goes with the next submission.
     */
    public int submit() throws ErrnoException {
        int before = publish();
        for (int pending = sqTail - before; pending > 0; pending = sqTail - sqHead()) {
            int result = enter(pending, 0, 0, 0, 0);
            if (result <= 0 && result != -Errno.EINTR) {
                check(result, pending);
                break;
            }
        }
        return sqHead() - before;
    }

    /** As {@link #submitAndWait(int, long)}, for ever. */
    public int submitAndWait(int minimum) throws ErrnoException {
        return submitAndWait(minimum, -1);
    }

    /**
     * Submits, then waits until completions can be reaped: how many entries the kernel took.
     *
     * @param minimum of completions, at most {@link #inFlight} with what is submitted here
     * @param timeoutMillis 0 does not wait, a negative one waits for ever
     */
    public int submitAndWait(int minimum, long timeoutMillis) throws ErrnoException {
        int enough = Math.min(minimum, cqEntries);
        int before = publish();
        long deadline = Deadline.after(timeoutMillis);
        int result;
        do {
            int pending = sqTail - sqHead();
            if (pending == 0 && ready() >= enough) {
                break;
            }
            result = enterAndWait(pending, enough, Deadline.remainingMillis(deadline));
            check(result, pending);
        } while (result >= 0 || result == -Errno.EINTR);
        return sqHead() - before;
    }

    /**
     * Passes the waiting completions on: how many. From within, more may be prepared and submitted.
     */
    public int reap(Completions completions) throws ErrnoException {
        int reaped = drain(completions);
        while (isKernelHoldingBack()) {
            check(enter(0, 0, IORING_ENTER_GETEVENTS, 0, 0), 0);
            int more = drain(completions);
            if (more == 0) {
                break;
            }
            reaped += more;
        }
        return reaped;
    }

    /**
     * Cancels what is in flight and waits for it, as the kernel may use the requests' memory until
     * then; nobody is told of those completions.
     */
    @Override
    public void close() {
        if (!fd.isOpen()) {
            return;
        }
        try {
            quiesce();
        } catch (ErrnoException failed) {
            throw new AssertionError("cannot wait for requests in flight", failed);
        } finally {
            rings.close();
            entries.close();
            fd.close();
        }
    }

    private void quiesce() throws ErrnoException {
        sqTail = sqHead(); // prepared, never submitted
        publish();
        boolean cancelled = false;
        while (inFlight() > 0) {
            if (!cancelled) {
                prepare(IORING_OP_ASYNC_CANCEL, -1, 0, 0, 0, IORING_ASYNC_CANCEL_ANY, 0);
                cancelled = true;
            }
            submitAndWait(1);
            reap(IGNORED);
        }
    }

    private int drain(Completions completions) {
        // Acquire: an entry's contents are visible once the kernel's release of the tail counts it.
        int tail = (int) INT.getAcquire(ring, cqTailAt);
        int first = cqHead;
        while (cqHead != tail) {
            long at = cqesAt + (cqHead & (cqEntries - 1)) * IoUringCqe.SIZE;
            long userData = ring.get(JAVA_LONG, at + IoUringCqe.USER_DATA);
            int result = ring.get(JAVA_INT, at + IoUringCqe.RES);
            cqHead++;
            // Release: the entry has been read before the kernel sees that its slot is free. Before
            // the call, so that the
            // entry is never delivered twice, whatever is thrown.
            INT.setRelease(ring, cqHeadAt, cqHead);
            completions.completed(userData, result);
        }
        return tail - first;
    }

    /** Shows the kernel the prepared entries: where it stands. */
    private int publish() {
        // Release: an entry's contents are visible before the tail that counts it.
        INT.setRelease(ring, sqTailAt, sqTail);
        return sqHead();
    }

    private int sqHead() {
        // Acquire: the kernel has read the entries before its head, so that they may be
        // overwritten.
        return (int) INT.getAcquire(ring, sqHeadAt);
    }

    private int ready() {
        return (int) INT.getAcquire(ring, cqTailAt) - cqHead;
    }

    /**
     * Completions put aside because the queue was full, or not made yet because we were not to be
     * interrupted.
     */
    private boolean isKernelHoldingBack() {
        // Opaque: nothing is read on the strength of it, and what is missed now keeps the
        // descriptor readable.
        int flags = (int) INT.getOpaque(ring, sqFlagsAt);
        return (flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) != 0;
    }

    private int enterAndWait(int pending, int minimum, int timeoutMillis) {
        if (timeoutMillis < 0) {
            return enter(pending, minimum, IORING_ENTER_GETEVENTS, 0, 0);
        }
        wait.set(JAVA_LONG, GeteventsArg.TS, wait.address() + GeteventsArg.SIZE);
        wait.set(JAVA_LONG, GeteventsArg.SIZE + Timespec.TV_SEC, timeoutMillis / 1000);
        wait.set(
                JAVA_LONG, GeteventsArg.SIZE + Timespec.TV_NSEC, timeoutMillis % 1000 * 1_000_000L);
        int flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
        return enter(pending, minimum, flags, wait.address(), GeteventsArg.SIZE);
    }

    private int enter(int submit, int minimum, int flags, long argument, long size) {
        return Libc.syscall(NR_IO_URING_ENTER, fd.number(), submit, minimum, flags, argument, size);
    }

    private void check(int result, int pending) throws ErrnoException {
        switch (-result) {
            case Errno.EINTR, Errno.ETIME -> {}
            case Errno.EAGAIN,
                    Errno.EBUSY -> {} // no memory, or completions put aside: reap, then again
            default -> {
                if (result < 0) {
                    throw ErrnoException.of(
                            "io_uring_enter", result, fd + ", " + pending + " entries");
                }
            }
        }
    }

    private Mapping map(long offset, long length) throws ErrnoException {
        try {
            return Mapping.of(fd, offset, length, true);
        } catch (ErrnoException refused) {
            if (rings != null) rings.close();
            fd.close();
            throw refused;
        }
    }
}
