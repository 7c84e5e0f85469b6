package org.anyvirt.driver.queue;

import java.io.IOException;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.virtio.memory.MemoryRegion;
import org.anyvirt.virtio.memory.PremappedMemory;
import org.anyvirt.virtio.memory.RegionTable;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.queue.DeviceVirtqueue;
import org.anyvirt.virtio.queue.Virtqueues;

/** Both halves of one virtqueue, ours each, over the same memory. */
final class RingPair implements AutoCloseable {
    static final int INDIRECT_ELEMENTS = 12;

    final GuestMemory memory;
    final DriverQueue driver;
    final DeviceVirtqueue device;

    RingPair(RingVariant variant, int size, long memorySize)
            throws IOException, UnmappedRangeException {
        memory = GuestMemory.ofSize(memorySize);
        driver = DriverQueue.create(memory, size, INDIRECT_ELEMENTS, variant.features());
        device =
                Virtqueues.create(
                        0,
                        driver.memory().layout(),
                        driver.position(),
                        variant.features(),
                        new PremappedMemory(table()),
                        () -> {});
    }

    private RegionTable table() {
        return RegionTable.of(
                memory.regions().stream()
                        .map(region ->
                                new MemoryRegion(
                                        region.placement().guestAddress(),
                                        region.placement().size(),
                                        region.memory()))
                        .toList());
    }

    @Override
    public void close() {
        device.close();
        memory.close();
    }
}
