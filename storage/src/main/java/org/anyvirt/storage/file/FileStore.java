package org.anyvirt.storage.file;

import java.io.IOException;
import java.nio.file.Path;
import org.anyvirt.devices.block.BlockCompletions;
import org.anyvirt.devices.block.BlockQueue;
import org.anyvirt.devices.block.BlockStore;
import org.anyvirt.linux.Errno;
import org.anyvirt.linux.ErrnoException;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.OpenFile;
import org.anyvirt.storage.StoreOptions;

/**
 * A file, or a block device of the host.
 *
 * <p>A file that ends within a block has its last block completed with zeros: nothing of it is out
 * of reach. While it is open the file is locked, for one writer or any number of readers; other
 * programs that look for open file description locks, as QEMU does, keep off.
 */
public final class FileStore implements BlockStore {
    /**
     * @param direct past the page cache (O_DIRECT)
     * @param size in bytes, of a file that is to be made when there is none; null makes none; a
     *     file that is there keeps its own
     */
    public record Options(Path path, boolean direct, Long size, boolean readOnly)
            implements StoreOptions {
        @Override
        public FileStore open() throws IOException {
            return new FileStore(this, FileOpening.open(this));
        }

        @Override
        public Options asReadOnly() {
            return new Options(path, direct, size, true);
        }
    }

    private final Options options;
    private final Fd fd;
    private final boolean blockDevice;
    private final int memoryAlignment;
    private final Limits limits;
    private volatile long capacity;

    /** Reads end here: beyond are only zeros, up to the capacity. */
    private volatile long end;

    private FileStore(Options options, FileOpening file) {
        this.options = options;
        this.fd = file.fd();
        this.blockDevice = file.blockDevice();
        this.memoryAlignment = file.memoryAlignment();
        this.end = file.size();
        this.capacity = file.capacity();
        this.limits =
                new Limits(
                        options.readOnly(),
                        file.blockSize(),
                        Math.max(4096, file.blockSize()),
                        file.discards(),
                        Math.max(4096, file.blockSize()),
                        true);
    }

    @Override
    public long capacity() {
        return capacity;
    }

    @Override
    public Limits limits() {
        return limits;
    }

    @Override
    public synchronized void resize(long newCapacity) throws IOException {
        if (options.readOnly()) {
            throw new IOException(describe() + " is open read-only");
        }
        if (blockDevice) {
            long size = OpenFile.blockDeviceSize(fd);
            if (newCapacity > size) {
                throw new IOException(
                        "%s has %d bytes, not %d: resize the block device first"
                                .formatted(describe(), size, newCapacity));
            }
        } else {
            // First, so that a write in flight beyond a smaller capacity finds out, see trim().
            capacity = Math.min(capacity, newCapacity);
            end = Math.min(end, newCapacity);
            try {
                OpenFile.truncate(fd, newCapacity);
            } catch (ErrnoException e) {
                measure();
                throw e;
            }
        }
        end = newCapacity;
        capacity = newCapacity;
    }

    @Override
    public BlockQueue open(int depth, BlockCompletions completions) throws IOException {
        return new FileQueue(this, depth, completions);
    }

    @Override
    public String describe() {
        return "file:" + options.path();
    }

    @Override
    public String errorName(int error) {
        return Errno.name(error);
    }

    @Override
    public void close() throws IOException {
        try (fd) {
            if (fd.isOpen() && !options.readOnly()) {
                OpenFile.dataSync(fd);
            }
        }
    }

    int fd() {
        return fd.number();
    }

    boolean isBlockDevice() {
        return blockDevice;
    }

    boolean isDirect() {
        return options.direct();
    }

    /** For direct I/O: of addresses, in bytes. */
    int memoryAlignment() {
        return memoryAlignment;
    }

    long end() {
        return end;
    }

    /** A write that was in flight when the file shrank has made it longer again. */
    synchronized void trim() {
        try {
            if (!blockDevice && OpenFile.stat(fd).size() > capacity) {
                OpenFile.truncate(fd, capacity);
            }
        } catch (ErrnoException e) {
            // The capacity holds all the same; only the file is longer than it.
            System.getLogger(FileStore.class.getName())
                    .log(System.Logger.Level.WARNING, "{0}: {1}", describe(), e.getMessage());
        }
    }

    private void measure() throws IOException {
        long size = OpenFile.stat(fd).size();
        end = size;
        capacity = FileOpening.roundUp(size, limits.blockSize());
    }
}
