package org.anyvirt.driver.block;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A block device with blocking calls, for demonstrations and tests: one request at a time, data
 * copied. Positions and lengths are in bytes and multiples of 512.
 */
public final class Disk {
    private static final int TIMEOUT_MILLIS = 30_000;

    private final BlockRequests requests;
    private int status;

    Disk(BlockRequests requests) {
        this.requests = requests;
    }

    /** Reads any length, in as many requests as it takes. */
    public byte[] read(long offset, int length) throws IOException {
        byte[] bytes = new byte[length];
        MemorySegment into = MemorySegment.ofArray(bytes);
        for (int at = 0; at < length; at += requests.bufferSize()) {
            int part = Math.min(length - at, requests.bufferSize());
            int slot = slot();
            requests.read(slot, sector(offset + at), part);
            run(slot, "read of %d bytes at %d".formatted(part, offset + at));
            MemorySegment.copy(requests.data(), requests.dataOffset(slot), into, at, part);
        }
        return bytes;
    }

    /** Writes any length, in as many requests as it takes. */
    public void write(long offset, byte[] bytes) throws IOException {
        MemorySegment source = MemorySegment.ofArray(bytes);
        for (int at = 0; at < bytes.length; at += requests.bufferSize()) {
            int part = Math.min(bytes.length - at, requests.bufferSize());
            int slot = slot();
            MemorySegment.copy(source, at, requests.data(), requests.dataOffset(slot), part);
            requests.write(slot, sector(offset + at), part);
            run(slot, "write of %d bytes at %d".formatted(part, offset + at));
        }
    }

    public void flush() throws IOException {
        int slot = slot();
        requests.flush(slot);
        run(slot, "flush");
    }

    public void discard(long offset, long length) throws IOException {
        int slot = slot();
        requests.discard(slot, sector(offset), Math.toIntExact(sector(length)));
        run(slot, "discard of %d bytes at %d".formatted(length, offset));
    }

    public void writeZeroes(long offset, long length, boolean mayUnmap) throws IOException {
        int slot = slot();
        requests.writeZeroes(slot, sector(offset), Math.toIntExact(sector(length)), mayUnmap);
        run(slot, "write-zeroes of %d bytes at %d".formatted(length, offset));
    }

    /** The device's name. */
    public String id() throws IOException {
        int slot = slot();
        requests.getId(slot);
        run(slot, "get-id");
        byte[] name = new byte[BlockRequests.ID_SIZE];
        MemorySegment.copy(
                requests.data(),
                requests.dataOffset(slot),
                MemorySegment.ofArray(name),
                0,
                name.length);
        int end = 0;
        while (end < name.length && name[end] != 0) {
            end++;
        }
        return new String(Arrays.copyOf(name, end), StandardCharsets.US_ASCII);
    }

    private int slot() {
        int slot = requests.acquire();
        if (slot < 0) {
            throw new IllegalStateException("all slots of the queue are in use");
        }
        return slot;
    }

    private void run(int slot, String request) throws IOException {
        requests.submit();
        if (requests.await(this::completed, TIMEOUT_MILLIS) == 0) {
            throw new IOException("%s: no answer within %d ms".formatted(request, TIMEOUT_MILLIS));
        }
        requests.release(slot);
        if (status != BlockStatus.VIRTIO_BLK_S_OK) {
            throw new BlockRequestException(request, status);
        }
    }

    private void completed(int slot, int ended) {
        status = ended;
    }

    private static long sector(long bytes) {
        if (bytes % BlockRequests.SECTOR != 0) {
            throw new IllegalArgumentException(bytes + " is not a multiple of 512");
        }
        return bytes / BlockRequests.SECTOR;
    }
}
