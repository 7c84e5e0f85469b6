package org.anyvirt.storage.file;

import static org.anyvirt.linux.IoUring.*;
import static org.anyvirt.linux.OpenFile.*;
import static org.anyvirt.storage.file.FileRequest.*;

import java.io.IOException;
import org.anyvirt.devices.block.BlockCompletions;
import org.anyvirt.devices.block.BlockQueue;
import org.anyvirt.linux.Errno;
import org.anyvirt.linux.ErrnoException;
import org.anyvirt.linux.IoUring;
import org.anyvirt.virtio.memory.Buffers;

/**
 * An io_uring between the driver's memory and the file.
 *
 * <p>Data plane. A request has one entry in the ring at a time. What the kernel has not done of it,
 * or what did not fit into one entry, follows in another, until all is done or an error ends it.
 */
final class FileQueue implements BlockQueue, IoUring.Completions {
    private static final int PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    private static final int ZERO = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
    private static final int IDLE_ATTEMPTS_MAX = 100;

    private final FileStore store;
    private final BlockCompletions completions;
    private final IoUring ring;
    private final int fd;
    private final FileMemory memory;
    private final FileRequest[] requests;
    private final FileRequest[] free;
    private int freeCount;
    private FileRequest firstWaiting;
    private FileRequest lastWaiting;
    private int ended;

    // What kernel and file system were not yet found unable to do.
    private boolean discardsBlocks;
    private boolean punches = true;
    private boolean zeroes = true;

    FileQueue(FileStore store, int depth, BlockCompletions completions) throws IOException {
        this.store = store;
        this.completions = completions;
        this.fd = store.fd();
        this.discardsBlocks = store.isBlockDevice();
        this.requests = new FileRequest[depth];
        this.free = new FileRequest[depth];
        for (int i = depth; i-- > 0; ) {
            requests[i] = new FileRequest(i);
            free[freeCount++] = requests[i];
        }
        this.ring = new IoUring(depth);
        try {
            this.memory = new FileMemory(store, depth);
        } catch (ErrnoException e) {
            ring.close();
            throw e;
        }
    }

    @Override
    public void read(long token, long offset, Buffers into, long from, long length) {
        FileRequest request = begin(READ, token, offset, length);
        request.buffers = into;
        request.from = from;
        transfer(request);
    }

    @Override
    public void write(
            long token, long offset, Buffers source, long from, long length, boolean durable) {
        FileRequest request = begin(WRITE, token, offset, length);
        request.buffers = source;
        request.from = from;
        request.durable = durable;
        transfer(request);
    }

    @Override
    public void flush(long token) {
        FileRequest request = begin(FLUSH, token, 0, 0);
        if (store.limits().readOnly()) {
            ring.nop(request.slot);
        } else {
            ring.fsync(fd, true, request.slot);
        }
    }

    @Override
    public void discard(long token, long offset, long length) {
        range(begin(discardsBlocks ? DISCARD_BLOCKS : DISCARD, token, offset, length));
    }

    @Override
    public void writeZeroes(long token, long offset, long length, boolean mayUnmap) {
        range(begin(mayUnmap ? UNMAP : ZERO_RANGE, token, offset, length));
    }

    @Override
    public void submit() {
        try {
            ring.submit();
        } catch (ErrnoException e) {
            throw new AssertionError("io_uring refuses what was prepared", e);
        }
    }

    @Override
    public int reap() {
        ended = 0;
        try {
            ring.reap(this);
            // What follows in parts goes on by itself.
            ring.submit();
        } catch (ErrnoException e) {
            throw new AssertionError("io_uring gives no completions", e);
        }
        return ended;
    }

    @Override
    public int wakeFd() {
        return ring.fd();
    }

    @Override
    public void close() {
        ring.close();
        memory.close();
    }

    @Override
    public void completed(long slot, int result) {
        FileRequest request = requests[(int) slot];
        if (result < 0) {
            failed(request, -result);
            return;
        }
        switch (request.kind) {
            case READ -> wasRead(request, result);
            case WRITE, WRITE_ZEROES -> wasWritten(request, result);
            default -> end(request, 0);
        }
    }

    private void failed(FileRequest request, int error) {
        switch (error) {
            case Errno.EINTR, Errno.EAGAIN -> again(request);
            case Errno.EOPNOTSUPP, Errno.ENOTTY -> unsupported(request);
            default -> end(request, error);
        }
    }

    private void unsupported(FileRequest request) {
        switch (request.kind) {
            case DISCARD_BLOCKS -> {
                discardsBlocks = false;
                request.kind = DISCARD;
                range(request);
            }
            case DISCARD -> {
                punches = false;
                end(request, 0);
            }
            case UNMAP -> {
                punches = false;
                request.kind = ZERO_RANGE;
                range(request);
            }
            case ZERO_RANGE -> {
                zeroes = false;
                request.kind = WRITE_ZEROES;
                range(request);
            }
            default -> end(request, Errno.EOPNOTSUPP);
        }
    }

    private void wasRead(FileRequest request, int result) {
        if (request.bounced && result > 0) {
            memory.fromBounce(request, result);
        }
        if (result == request.part) {
            advance(request, result);
            return;
        }
        // The file ended, or the kernel stopped early. Behind its end a file has zeros only where
        // the capacity says that there is something: anything else has been cut off by others.
        long reached = request.offset + result;
        if (reached >= store.end()) {
            request.buffers.fill(request.from + result, request.left - result, (byte) 0);
            end(request, 0);
        } else if (result == 0) {
            end(request, Errno.EIO);
        } else {
            advance(request, memory.aligned(result));
        }
    }

    private void wasWritten(FileRequest request, int result) {
        advance(request, result == request.part ? result : memory.aligned(result));
    }

    /** So many bytes more are done. */
    private void advance(FileRequest request, long done) {
        request.offset += done;
        request.from += done;
        request.left -= done;
        if (request.left == 0) {
            end(request, 0);
        } else if (done == 0) {
            again(request);
        } else {
            request.idleAttempts = 0;
            proceed(request);
        }
    }

    private void again(FileRequest request) {
        if (++request.idleAttempts > IDLE_ATTEMPTS_MAX) {
            end(request, Errno.EIO);
        } else {
            proceed(request);
        }
    }

    private void proceed(FileRequest request) {
        switch (request.kind) {
            case READ, WRITE -> transfer(request);
            case FLUSH -> ring.fsync(fd, true, request.slot);
            default -> range(request);
        }
    }

    private FileRequest begin(int kind, long token, long offset, long length) {
        if (freeCount == 0) {
            throw new AssertionError("more than " + requests.length + " requests in flight");
        }
        FileRequest request = free[--freeCount];
        request.kind = kind;
        request.token = token;
        request.offset = offset;
        request.left = length;
        request.idleAttempts = 0;
        return request;
    }

    /** Prepares as much of a read or write as one entry can be told of. */
    private void transfer(FileRequest request) {
        boolean read = request.kind == READ;
        int flags = !read && request.durable ? RWF_DSYNC : 0;
        int iovecs = memory.describe(request);
        if (iovecs == FileMemory.NO_BOUNCE) {
            await(request);
            return;
        }
        int opcode;
        int length;
        if (iovecs == FileMemory.CONTIGUOUS) {
            opcode = read ? IORING_OP_READ : IORING_OP_WRITE;
            length = (int) request.part;
        } else {
            opcode = read ? IORING_OP_READV : IORING_OP_WRITEV;
            length = iovecs;
        }
        ring.prepare(opcode, fd, memory.address(), length, request.offset, flags, request.slot);
    }

    private void range(FileRequest request) {
        if (request.kind == UNMAP && !punches) {
            request.kind = ZERO_RANGE;
        }
        if (request.kind == ZERO_RANGE && !zeroes) {
            request.kind = WRITE_ZEROES;
        }
        switch (request.kind) {
            case DISCARD_BLOCKS ->
                    ring.discardBlocks(fd, request.offset, request.left, request.slot);
            case DISCARD -> {
                if (punches) {
                    ring.fallocate(fd, PUNCH, request.offset, request.left, request.slot);
                } else {
                    ring.nop(request.slot);
                }
            }
            case UNMAP -> ring.fallocate(fd, PUNCH, request.offset, request.left, request.slot);
            case ZERO_RANGE -> ring.fallocate(fd, ZERO, request.offset, request.left, request.slot);
            default -> {
                int iovecs = memory.describeZeroes(request);
                long at = memory.address();
                ring.writev(fd, at, iovecs, request.offset, request.slot);
            }
        }
    }

    /** Waits for a bounce buffer; whoever ends with one prepares the request. */
    private void await(FileRequest request) {
        request.nextWaiting = null;
        if (firstWaiting == null) {
            firstWaiting = request;
        } else {
            lastWaiting.nextWaiting = request;
        }
        lastWaiting = request;
    }

    private void end(FileRequest request, int error) {
        boolean writes = request.kind == WRITE || request.kind == WRITE_ZEROES;
        if (writes && request.offset + request.left > store.capacity()) {
            store.trim();
        }
        request.buffers = null;
        if (request.bounce >= 0) {
            memory.giveBack(request);
            FileRequest waiting = firstWaiting;
            if (waiting != null) {
                firstWaiting = waiting.nextWaiting;
                transfer(waiting);
            }
        }
        free[freeCount++] = request;
        ended++;
        completions.completed(request.token, error);
    }
}
