package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_INDIRECT_DESC;
import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_RING_PACKED;
import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_VERSION_1;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.memory.GuestMemory.Placement;
import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.driver.queue.QueueMemory;
import org.anyvirt.driver.vhostuser.VhostUserDevice;
import org.anyvirt.driver.vhostuser.VhostUserOptions;
import org.anyvirt.virtio.spec.BlockLayout;
import org.anyvirt.virtio.spec.DeviceStatus;
import org.anyvirt.virtio.spec.Features;

/**
 * A session set up by the rules, with one queue whose ring the driver then fills as it likes. There
 * is a header, a buffer and a status byte to build requests from.
 */
final class HostileSession implements AutoCloseable {
    /** Regions of the guest's memory: a hole, and two neighbours that are not neighbours here. */
    static final long REGION_SIZE = 8L << 20;

    /** Free at the start and the end of each region. */
    static final long EDGE = 4096;

    static final long LOW = 1L << 20;
    static final long HIGH = 1L << 32;
    static final long ABOVE_HIGH = HIGH + REGION_SIZE;

    private static final int NOT_WRITTEN = 0xff;
    private static final ValueLayout.OfInt LE32 =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE64 =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** The two kinds of ring. */
    enum Kind {
        SPLIT,
        PACKED;

        Features features() {
            Features features = Features.of(VIRTIO_F_VERSION_1, VIRTIO_F_INDIRECT_DESC);
            return this == PACKED ? features.with(VIRTIO_F_RING_PACKED) : features;
        }

        RawRing over(QueueMemory memory) {
            return this == PACKED ? new RawPackedRing(memory) : new RawSplitRing(memory);
        }
    }

    private final ServedDisks disks;
    private final String disk;
    private final VhostUserDevice device;
    private final Kind kind;
    private final HostileQueue queue;
    private final SharedRange header;
    private final SharedRange data;
    private final SharedRange status;

    private HostileSession(
            ServedDisks disks, String disk, VhostUserDevice device, Kind kind, Features accepted)
            throws IOException {
        this.disks = disks;
        this.disk = disk;
        this.device = device;
        this.kind = kind;
        device.accept(accepted);
        for (int i = 0; i < device.memory().regions().size(); i++) {
            device.memory().allocate(EDGE, 4096); // Regions are taken by turns.
        }
        header = device.memory().allocate(BlockLayout.REQUEST_HEADER_SIZE, 64);
        data = device.memory().allocate(64 << 10, 4096);
        status = device.memory().allocate(1, 64);
        queue = HostileQueue.start(device, 0, kind);
        device.ready();
    }

    static HostileSession open(ServedDisks disks, String disk, Kind kind) throws IOException {
        return open(disks, disk, kind, kind.features());
    }

    static HostileSession open(ServedDisks disks, String disk, Kind kind, Features accepted)
            throws IOException {
        return open(disks, disk, kind, accepted, threeRegions());
    }

    /**
     * With any memory, which is closed with the session. Header, data and status, the three parts
     * of the ring and what is allocated then take the regions by turns.
     */
    static HostileSession open(
            ServedDisks disks, String disk, Kind kind, Features accepted, GuestMemory memory)
            throws IOException {
        VhostUserDevice device =
                VhostUserDevice.connect(disks.socket(disk), memory, VhostUserOptions.DEFAULT);
        try {
            return new HostileSession(disks, disk, device, kind, accepted);
        } catch (IOException | RuntimeException e) {
            device.close();
            throw e;
        }
    }

    /** Connects, and has agreed on no more than the protocol's features. */
    static VhostUserDevice connect(ServedDisks disks, String disk) throws IOException {
        return VhostUserDevice.connect(
                disks.socket(disk), threeRegions(), VhostUserOptions.DEFAULT);
    }

    private static GuestMemory threeRegions() throws IOException {
        long user = 0x7000_0000_0000L;
        return GuestMemory.of(
                List.of(
                        new Placement(HIGH, user, REGION_SIZE, 0),
                        new Placement(ABOVE_HIGH, user + 8 * REGION_SIZE, REGION_SIZE, 4096),
                        new Placement(LOW, user + 4 * REGION_SIZE, REGION_SIZE, 0)));
    }

    VhostUserDevice device() {
        return device;
    }

    GuestMemory memory() {
        return device.memory();
    }

    HostileQueue queue() {
        return queue;
    }

    /** Starts a queue, another one or a stopped one. */
    HostileQueue start(int index) throws IOException {
        return HostileQueue.start(device, index, kind);
    }

    RawRing ring() {
        return queue.ring();
    }

    RawSplitRing split() {
        return (RawSplitRing) ring();
    }

    RawPackedRing packed() {
        return (RawPackedRing) ring();
    }

    /** Some memory that nothing else uses. */
    SharedRange allocate(long size) {
        return memory().allocate(size, 64);
    }

    SharedRange data() {
        return data;
    }

    /** The header, as an element, with this type and sector. */
    Element header(int type, long sector) {
        putHeader(header, type, sector);
        return Element.readable(header);
    }

    static void putHeader(SharedRange header, int type, long sector) {
        header.memory().set(LE32, 0, type);
        header.memory().set(LE32, 4, 0);
        header.memory().set(LE64, 8, sector);
    }

    /** The header of a write to where attacks write. */
    Element writeHeader() {
        return header(BlockLayout.VIRTIO_BLK_T_OUT, HonestSession.TARGET / 512);
    }

    /** The header of a read from there. */
    Element readHeader() {
        return header(BlockLayout.VIRTIO_BLK_T_IN, HonestSession.TARGET / 512);
    }

    /** The first bytes of the buffer, for the device to write. */
    Element in(long bytes) {
        return Element.writable(data).ofLength(bytes);
    }

    /** The first bytes of the buffer, for the device to read. */
    Element out(long bytes) {
        return Element.readable(data).ofLength(bytes);
    }

    /** The status byte, which says afterwards whether it was written. */
    Element status() {
        status.memory().set(ValueLayout.JAVA_BYTE, 0, (byte) NOT_WRITTEN);
        return Element.writable(status);
    }

    /** What the device has written there; 255 for nothing. */
    int statusWritten() {
        return status.memory().get(ValueLayout.JAVA_BYTE, 0) & 0xff;
    }

    /** As {@link HostileQueue#offer}, on the first queue. */
    int offer(Element... chain) throws IOException {
        return queue.offer(chain);
    }

    /**
     * Offers a chain that holds {@link #status()} on the first queue, and waits until the device
     * has used it.
     *
     * @return the status
     */
    int run(Element... chain) throws IOException {
        return run(queue, chain);
    }

    int run(HostileQueue on, Element... chain) throws IOException {
        int before = on.ring().used();
        on.offer(chain);
        on.awaitUsed(before + 1);
        return statusWritten();
    }

    /**
     * Waits until the first queue is broken: the error descriptor says so, DEVICE_NEEDS_RESET does,
     * and the log with device, queue and reason.
     */
    void assertBroken(String... logged) throws IOException {
        assertThat(queue.awaitBroken())
                .as("the error descriptor is signalled; logged was%n%s", disks.log())
                .isTrue();
        String[] parts = new String[logged.length + 1];
        parts[0] = disk + " queue 0: ";
        System.arraycopy(logged, 0, parts, 1, logged.length);
        disks.awaitLogged(parts);
        assertThat(device.frontend().getStatus() & DeviceStatus.DEVICE_NEEDS_RESET)
                .as("DEVICE_NEEDS_RESET of the device status")
                .isNotZero();
    }

    @Override
    public void close() {
        device.close();
    }
}
