package org.anyvirt.e2e.guest;

import java.io.IOException;
import java.nio.file.Path;

/**
 * A process that serves one disk over vhost-user: ours, or a peer that shows the harness is right.
 */
public interface Backend extends AutoCloseable {
    /** As long as a serial can be: 20 bytes without a zero at the end (VIRTIO 1.3, 5.2.6). */
    String SERIAL = "a-serial-of-20-bytes";

    /** Where it listens. */
    Path socket();

    /** What its disk answers when it is asked for its serial. */
    String serial();

    /** All that it has logged. */
    String log() throws IOException;

    /** Changes the disk's capacity while a guest uses it. */
    void resize(long bytes) throws IOException;

    @Override
    void close() throws IOException;

    /**
     * A disk in a file.
     *
     * @param size in bytes; the file is made when it is not there
     * @param direct bypass the host's page cache
     * @param queues the most that a driver may use
     */
    record Disk(Path file, long size, boolean direct, boolean readOnly, int queues) {
        public static Disk of(Path file, long size) {
            return new Disk(file, size, false, false, 4);
        }

        public Disk withDirect(boolean on) {
            return new Disk(file, size, on, readOnly, queues);
        }

        public Disk withReadOnly() {
            return new Disk(file, size, direct, true, queues);
        }

        public Disk withQueues(int most) {
            return new Disk(file, size, direct, readOnly, most);
        }
    }
}
