package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Asynchronous file I/O: a submission queue to the kernel and a completion queue back, in memory
 * shared with it (io_uring(7)).
 *
 * <p>Data plane: nothing here allocates after construction. One thread at a time uses a ring, not
 * necessarily the one that made it. A thread that submitted must outlive its requests, as the
 * kernel cancels them when it ends. Addresses are of native memory, which must stay until the
 * request has completed.
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
    public static final int IORING_OP_URING_CMD = 46;

    /** For {@code opFlags} of a write: it completes when on stable storage, as before dataSync. */
    public static final int RWF_DSYNC = 0x2;

    static final int IORING_FSYNC_DATASYNC = 1;
    static final int BLOCK_URING_CMD_DISCARD = 0x12 << 8;
    static final int IORING_ASYNC_CANCEL_ALL = 1 << 0;
    static final int IORING_ASYNC_CANCEL_ANY = 1 << 2;
    static final int IORING_ENTER_GETEVENTS = 1 << 0;
    static final int IORING_ENTER_EXT_ARG = 1 << 3;
    static final long IORING_OFF_SQ_RING = 0;
    static final long IORING_OFF_SQES = 0x10000000;

    private static final Completions IGNORED = (userData, result) -> {};

    private final Fd fd;
    private final Mapping rings;
    private final Mapping sqes;
    private final SubmissionQueue submissions;
    private final CompletionQueue completions;

    /** How long to wait: an io_uring_getevents_arg, and the timespec that it points to. */
    private final MemorySegment limit =
            Arena.ofAuto().allocate(IoUringGeteventsArg.SIZE + Timespec.SIZE, 8);

    /** Told of each completion. */
    public interface Completions {
        /**
         * @param userData as given to {@link #prepare}
         * @param result what the system call of that name returns, or a negated error number
         */
        void completed(long userData, int result);
    }

    static final class IoUringGeteventsArg {
        static final int TS = 16;
        static final long SIZE = 24;

        private IoUringGeteventsArg() {}
    }

    static final class Timespec {
        static final int TV_SEC = 0;
        static final int TV_NSEC = 8;
        static final long SIZE = 16;

        private Timespec() {}
    }

    /**
     * @param entries how many requests can be prepared before they are submitted: rounded up to a
     *     power of two, and cut to what the kernel allows. Twice as many completions have room;
     *     further ones the kernel keeps aside
     */
    public IoUring(int entries) throws ErrnoException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment params = arena.allocate(RingSetup.IoUringParams.SIZE, 8);
            fd = RingSetup.create(entries, params);
            long ringBytes =
                    Math.max(SubmissionQueue.ringBytes(params), CompletionQueue.ringBytes(params));
            try {
                rings = Mapping.of(fd, IORING_OFF_SQ_RING, ringBytes, true);
                sqes = Mapping.of(fd, IORING_OFF_SQES, SubmissionQueue.entryBytes(params), true);
            } catch (ErrnoException refused) {
                fd.close();
                throw refused;
            }
            submissions = new SubmissionQueue(params, rings.memory(), sqes.memory());
            completions = new CompletionQueue(params, rings.memory());
        }
    }

    /** The ring's descriptor, lent: readable for poll and epoll while completions wait. */
    public int fd() {
        return fd.number();
    }

    /** How many more requests can be prepared before {@link #submit}. */
    public int space() {
        return submissions.space();
    }

    /** Requests submitted whose completions have not been reaped. */
    public int inFlight() {
        return submissions.head() - completions.head(); // each entry taken completes once
    }

    /**
     * Fills the next entry in, see io_uring_enter(2); {@link #space} must be positive.
     *
     * @param userData comes back with the completion
     */
    public void prepare(
            int opcode, int fd, long address, int length, long offset, int opFlags, long userData) {
        submissions.prepare(opcode, fd, address, length, offset, opFlags, userData);
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
     * @param iovecs address of {@code count} iovecs, which may be reused once submitted
     */
    public void readv(int fd, long iovecs, int count, long offset, long userData) {
        prepare(IORING_OP_READV, fd, iovecs, count, offset, 0, userData);
    }

    /** As {@link #readv}, the other way. */
    public void writev(int fd, long iovecs, int count, long offset, long userData) {
        prepare(IORING_OP_WRITEV, fd, iovecs, count, offset, 0, userData);
    }

    /** Covers the writes that have completed, not those in flight. */
    public void fsync(int fd, boolean dataOnly, long userData) {
        prepare(IORING_OP_FSYNC, fd, 0, 0, 0, dataOnly ? IORING_FSYNC_DATASYNC : 0, userData);
    }

    /**
     * @param mode {@code FALLOC_FL_*} of {@link OpenFile}
     */
    public void fallocate(int fd, int mode, long offset, long length, long userData) {
        prepare(IORING_OP_FALLOCATE, fd, length, mode, offset, 0, userData);
    }

    /**
     * Tells a block device that whole blocks are unused, as {@link OpenFile#discardBlocks}; before
     * Linux 6.12 it ends in {@link Errno#EOPNOTSUPP}.
     */
    public void discardBlocks(int fd, long offset, long length, long userData) {
        prepare(IORING_OP_URING_CMD, fd, offset, 0, BLOCK_URING_CMD_DISCARD, 0, userData);
        submissions.third(length);
    }

    /** Asks to cancel the request whose user data is {@code target}; both complete. */
    public void cancel(long target, long userData) {
        prepare(IORING_OP_ASYNC_CANCEL, -1, target, 0, 0, 0, userData);
    }

    /**
     * Hands the prepared entries to the kernel: how many it took. Fewer when it is short of memory
     * or of room for completions, which {@link #reap} makes; the rest goes with the next
     * submission.
     */
    public int submit() throws ErrnoException {
        submissions.publish();
        // Progress is read from the ring, not from results: those are lost if the call ends with a
        // fault in mapped memory, see NativeTransition.
        int before = submissions.head();
        int pending;
        int result = 1;
        while ((pending = submissions.pending()) > 0 && (result > 0 || result == -Errno.EINTR)) {
            result = enter(pending, 0, 0, 0, 0);
        }
        check(result);
        return submissions.head() - before;
    }

    /** As {@link #submitAndWait(int, long)}, for ever. */
    public int submitAndWait(int minimum) throws ErrnoException {
        return submitAndWait(minimum, -1);
    }

    /**
     * Submits, then waits until completions can be reaped: how many entries the kernel took.
     *
     * @param minimum completions to wait for, no more than are in flight once submitted
     * @param timeoutMillis 0 does not wait, a negative one waits for ever
     */
    public int submitAndWait(int minimum, long timeoutMillis) throws ErrnoException {
        int enough = Math.min(minimum, completions.entries());
        long deadline = Deadline.after(timeoutMillis);
        submissions.publish();
        int before = submissions.head();
        int remainingMillis;
        int result;
        do {
            int pending = submissions.pending();
            if (pending == 0 && completions.ready() >= enough) {
                return submissions.head() - before;
            }
            remainingMillis = Deadline.remainingMillis(deadline);
            result = enterAndWait(pending, enough, remainingMillis);
        } while (result > 0 || (remainingMillis != 0 && (result == 0 || result == -Errno.EINTR)));
        check(result);
        return submissions.head() - before;
    }

    /**
     * Passes the waiting completions on: how many. From within, more may be prepared and submitted.
     */
    public int reap(Completions into) throws ErrnoException {
        int reaped = completions.drain(into);
        while (submissions.isHoldingCompletionsBack()) {
            check(enter(0, 0, IORING_ENTER_GETEVENTS, 0, 0));
            int more = completions.drain(into);
            if (more == 0) {
                break;
            }
            reaped += more;
        }
        return reaped;
    }

    /**
     * Cancels what is in flight and waits for its end, as the kernel may use the memory of a
     * request until then. Nobody is told of these completions. Before Linux 5.19 it can only wait.
     */
    @Override
    public void close() {
        if (!fd.isOpen()) {
            return;
        }
        try {
            quiesce();
        } catch (ErrnoException failed) {
            throw new AssertionError("cannot wait for the requests in flight", failed);
        }
        rings.close();
        sqes.close();
        fd.close();
    }

    private void quiesce() throws ErrnoException {
        submissions.discard();
        if (inFlight() > 0) {
            int flags = IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY;
            prepare(IORING_OP_ASYNC_CANCEL, -1, 0, 0, 0, flags, 0);
        }
        while (inFlight() > 0) {
            submitAndWait(1);
            reap(IGNORED);
        }
    }

    private int enterAndWait(int pending, int minimum, int timeoutMillis) {
        if (timeoutMillis < 0) {
            return enter(pending, minimum, IORING_ENTER_GETEVENTS, 0, 0);
        }
        long timespec = IoUringGeteventsArg.SIZE;
        limit.set(JAVA_LONG, IoUringGeteventsArg.TS, limit.address() + timespec);
        limit.set(JAVA_LONG, timespec + Timespec.TV_SEC, timeoutMillis / 1000);
        limit.set(JAVA_LONG, timespec + Timespec.TV_NSEC, timeoutMillis % 1000 * 1_000_000L);
        int flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
        return enter(pending, minimum, flags, limit.address(), IoUringGeteventsArg.SIZE);
    }

    private int enter(int submit, int minimum, int flags, long argument, long size) {
        return Libc.ioUringEnter(fd.number(), submit, minimum, flags, argument, size);
    }

    /** Passes what is no failure: interrupted, out of time, or to be tried again after reaping. */
    private void check(int result) throws ErrnoException {
        if (result < 0
                && result != -Errno.EINTR
                && result != -Errno.ETIME
                && result != -Errno.EAGAIN
                && result != -Errno.EBUSY) {
            String detail = "%s, %d entries pending".formatted(fd, submissions.pending());
            throw ErrnoException.of("io_uring_enter", result, detail);
        }
    }
}
