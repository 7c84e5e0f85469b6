package org.anyvirt.devices.block;

import static org.anyvirt.virtio.spec.BlockLayout.*;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.anyvirt.virtio.device.QueueHandler;
import org.anyvirt.virtio.memory.Buffers;
import org.anyvirt.virtio.queue.Chain;
import org.anyvirt.virtio.queue.MalformedChainException;
import org.anyvirt.virtio.queue.Virtqueue;
import org.anyvirt.virtio.spec.Features;

/**
 * Serves one request queue of a {@link BlockDevice}.
 *
 * <p>Data plane: one thread, no allocation but on errors. Each chain takes a slot, has at most one
 * request at the store at a time, and is completed when its last one has ended. There are as many
 * slots, and as much depth at the store, as the queue has descriptors: no more chains can be in
 * flight, so that none ever waits here.
 */
final class BlockHandler implements QueueHandler, BlockCompletions {
    private static final int BATCH = 128;

    private final BlockDevice device;
    private final Virtqueue queue;
    private final BlockStore store;
    private final BlockQueue io;
    private final long blockMask;
    private final boolean driverNeverFlushes;
    private final boolean offersDiscard;
    private final boolean volatileCache;
    private final MemorySegment identity;
    private final MemorySegment scratch = MemorySegment.ofArray(new byte[REQUEST_HEADER_SIZE]);
    private final ErrorBurst errors = new ErrorBurst();

    private final Chain[] batch;
    private final BlockRequest[] requests;
    private final BlockRequest[] free;
    private int freeCount;
    private int completed;
    private boolean cancelled;
    private MalformedChainException malformed;

    // Written by the queue's thread alone; read by others without order: counters need none.
    private long reads;
    private long readBytes;
    private long writes;
    private long writtenBytes;
    private long flushes;
    private long discards;
    private long writeZeroes;
    private long failed;
    private long refused;

    BlockHandler(BlockDevice device, Virtqueue queue, Features accepted, BlockStore store)
            throws IOException {
        this.device = device;
        this.queue = queue;
        this.store = store;
        this.blockMask = store.limits().blockSize() - 1;
        this.driverNeverFlushes =
                !accepted.has(VIRTIO_BLK_F_CONFIG_WCE) && !accepted.has(VIRTIO_BLK_F_FLUSH);
        this.offersDiscard = store.limits().discards();
        this.volatileCache = store.limits().volatileCache();
        this.identity = MemorySegment.ofArray(device.identity());
        this.batch = new Chain[Math.min(BATCH, queue.size())];
        this.requests = new BlockRequest[queue.size()];
        this.free = new BlockRequest[queue.size()];
        for (int i = 0; i < requests.length; i++) {
            requests[i] = new BlockRequest(i);
            free[freeCount++] = requests[i];
        }
        this.io = store.open(requests.length, this);
    }

    @Override
    public int poll(int budget) throws MalformedChainException {
        if (malformed != null && !cancelled) {
            throw malformed;
        }
        completed = 0;
        int taken = cancelled ? 0 : queue.take(batch, Math.min(budget, batch.length));
        for (int i = 0; i < taken; i++) {
            start(batch[i]);
        }
        io.submit();
        io.reap();
        // An end may have started what follows it; with nothing to hand over this does nothing.
        io.submit();
        return taken + completed;
    }

    @Override
    public int wakeFd() {
        return io.wakeFd();
    }

    @Override
    public void cancel() {
        cancelled = true;
    }

    @Override
    public void close() {
        io.close();
        errors.end(name());
        device.stopped(this);
    }

    BlockCounters counters() {
        return new BlockCounters(
                reads,
                readBytes,
                writes,
                writtenBytes,
                flushes,
                discards,
                writeZeroes,
                failed,
                refused);
    }

    private void start(Chain chain) {
        Buffers readable = chain.readable();
        if (readable.total() < REQUEST_HEADER_SIZE || chain.writable().total() < 1) {
            malformed(chain);
            return;
        }
        // The header is read once: what the driver makes of it meanwhile is not seen.
        MemorySegment header = scratch;
        long at = 0;
        if (readable.size(0) >= REQUEST_HEADER_SIZE) {
            header = readable.memory(0);
            at = readable.offset(0);
        } else {
            readable.get(0, scratch, 0, REQUEST_HEADER_SIZE);
        }
        BlockRequest request = free[--freeCount];
        request.chain = chain;
        request.type = header.get(LE32, at + REQUEST_TYPE);
        long sector = header.get(LE64, at + REQUEST_SECTOR);
        switch (request.type) {
            case VIRTIO_BLK_T_IN -> in(request, sector);
            case VIRTIO_BLK_T_OUT -> out(request, sector);
            case VIRTIO_BLK_T_FLUSH -> io.flush(request.token);
            case VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES -> ranges(request);
            case VIRTIO_BLK_T_GET_ID -> id(request);
            default -> refuse(request, VIRTIO_BLK_S_UNSUPP);
        }
    }

    private void malformed(Chain chain) {
        if (malformed == null) {
            malformed =
                    new MalformedChainException(
                            queue.index(),
                            chain.head(),
                            "a block request of %d device-readable and %d device-writable bytes, "
                                            .formatted(
                                                    chain.readable().total(),
                                                    chain.writable().total())
                                    + "which hold no header of 16 and no status of 1");
        }
        // Taken is taken: the queue can stop only when nothing is in flight, and what came with
        // this chain is served. The next turn breaks the queue.
        if (chain.writable().total() > 0) {
            putStatus(chain.writable(), VIRTIO_BLK_S_IOERR);
        }
        queue.complete(chain, 0);
        completed++;
    }

    private void in(BlockRequest request, long sector) {
        Buffers data = request.chain.writable();
        long length = data.total() - 1;
        request.length = length;
        if (!isInside(sector, length)) {
            refuse(request, VIRTIO_BLK_S_IOERR);
        } else if (length == 0) {
            succeed(request, 0);
        } else {
            io.read(request.token, sector * SECTOR_SIZE, data, 0, length);
        }
    }

    private void out(BlockRequest request, long sector) {
        Buffers data = request.chain.readable();
        long length = data.total() - REQUEST_HEADER_SIZE;
        request.length = length;
        if (device.isReadOnly() || !isInside(sector, length)) {
            refuse(request, VIRTIO_BLK_S_IOERR);
        } else if (length == 0) {
            succeed(request, 0);
        } else {
            io.write(
                    request.token,
                    sector * SECTOR_SIZE,
                    data,
                    REQUEST_HEADER_SIZE,
                    length,
                    writesThrough());
        }
    }

    /** Whether a write must be durable when it completes (VIRTIO 1.3, 5.2.6.2). */
    private boolean writesThrough() {
        return volatileCache && (driverNeverFlushes || !device.isWriteback());
    }

    private void id(BlockRequest request) {
        Buffers data = request.chain.writable();
        long length = Math.min(VIRTIO_BLK_ID_BYTES, data.total() - 1);
        data.put(0, identity, 0, length);
        succeed(request, length);
    }

    private void ranges(BlockRequest request) {
        boolean discard = request.type == VIRTIO_BLK_T_DISCARD;
        byte status = readRanges(request, discard);
        if (status != VIRTIO_BLK_S_OK) {
            refuse(request, status);
            return;
        }
        request.nextRange = 0;
        request.flushes = !discard && writesThrough();
        nextRange(request);
    }

    /** Copies the ranges, and checks all before the first is started. */
    private byte readRanges(BlockRequest request, boolean discard) {
        Buffers data = request.chain.readable();
        long length = data.total() - REQUEST_HEADER_SIZE;
        if (device.isReadOnly()) {
            return VIRTIO_BLK_S_IOERR;
        }
        if (discard && !offersDiscard) {
            return VIRTIO_BLK_S_UNSUPP;
        }
        if (length == 0
                || length % SEGMENT_SIZE != 0
                || length > BlockDevice.RANGES_MAX * SEGMENT_SIZE) {
            return VIRTIO_BLK_S_IOERR;
        }
        request.ranges = (int) (length / SEGMENT_SIZE);
        request.length = 0;
        byte status = VIRTIO_BLK_S_OK;
        for (int i = 0; i < request.ranges; i++) {
            data.get(REQUEST_HEADER_SIZE + (long) i * SEGMENT_SIZE, scratch, 0, SEGMENT_SIZE);
            long sector = scratch.get(LE64, SEGMENT_SECTOR);
            int sectors = scratch.get(LE32, SEGMENT_NUM_SECTORS);
            int flags = scratch.get(LE32, SEGMENT_FLAGS);
            // VIRTIO 1.3, 5.2.6.2: an unknown flag, or unmap where it means nothing.
            if (flags != 0 && (discard || flags != VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP)) {
                return VIRTIO_BLK_S_UNSUPP;
            }
            if (Integer.compareUnsigned(sectors, BlockDevice.RANGE_SECTORS_MAX) > 0
                    || !isInside(sector, (long) sectors * SECTOR_SIZE)) {
                status = VIRTIO_BLK_S_IOERR;
            }
            request.sector[i] = sector;
            request.sectors[i] = sectors;
            request.unmap[i] = flags != 0;
        }
        return status;
    }

    private void nextRange(BlockRequest request) {
        while (request.nextRange < request.ranges) {
            int i = request.nextRange++;
            if (request.sectors[i] == 0) {
                continue;
            }
            long offset = request.sector[i] * SECTOR_SIZE;
            long length = (long) request.sectors[i] * SECTOR_SIZE;
            if (request.type == VIRTIO_BLK_T_DISCARD) {
                io.discard(request.token, offset, length);
            } else {
                io.writeZeroes(request.token, offset, length, request.unmap[i]);
            }
            return;
        }
        if (request.flushes) {
            request.flushes = false;
            io.flush(request.token);
        } else {
            succeed(request, 0);
        }
    }

    private boolean isInside(long sector, long length) {
        long capacity = device.capacity();
        return sector >= 0
                && sector <= capacity / SECTOR_SIZE
                && length <= capacity - sector * SECTOR_SIZE
                && ((length | sector * SECTOR_SIZE) & blockMask) == 0;
    }

    @Override
    public void completed(long token, int error) {
        BlockRequest request = requests[(int) token];
        if (error != 0) {
            fail(request, error);
            return;
        }
        switch (request.type) {
            case VIRTIO_BLK_T_IN -> succeed(request, request.length);
            case VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES -> nextRange(request);
            default -> succeed(request, 0);
        }
    }

    private void succeed(BlockRequest request, long written) {
        switch (request.type) {
            case VIRTIO_BLK_T_IN -> {
                reads++;
                readBytes += request.length;
            }
            case VIRTIO_BLK_T_OUT -> {
                writes++;
                writtenBytes += request.length;
            }
            case VIRTIO_BLK_T_FLUSH -> flushes++;
            case VIRTIO_BLK_T_DISCARD -> discards++;
            case VIRTIO_BLK_T_WRITE_ZEROES -> writeZeroes++;
            default -> {}
        }
        complete(request, VIRTIO_BLK_S_OK, written);
    }

    /** The driver asked for what cannot be. */
    private void refuse(BlockRequest request, byte status) {
        refused++;
        complete(request, status, 0);
    }

    /** The world failed. */
    private void fail(BlockRequest request, int error) {
        failed++;
        if (errors.starts(System.nanoTime())) {
            errors.log(
                    "%s: request type %d, %d bytes: %s"
                            .formatted(
                                    name(), request.type, request.length, store.errorName(error)));
        }
        complete(request, VIRTIO_BLK_S_IOERR, 0);
    }

    /**
     * The used length counts only bytes that were certainly written, from the first on (VIRTIO 1.3,
     * 2.7.8.2): after a failed read those do not reach the status.
     */
    private void complete(BlockRequest request, byte status, long written) {
        Chain chain = request.chain;
        long last = chain.writable().total() - 1;
        putStatus(chain.writable(), status);
        request.chain = null;
        free[freeCount++] = request;
        completed++;
        queue.complete(chain, written == last ? written + 1 : written);
    }

    /** The status is the last device-writable byte, whatever fragment that is in. */
    private static void putStatus(Buffers writable, byte status) {
        int last = writable.fragments() - 1;
        long at = writable.offset(last) + writable.size(last) - 1;
        writable.memory(last).set(ValueLayout.JAVA_BYTE, at, status);
    }

    private String name() {
        return store.describe() + " queue " + queue.index();
    }
}
