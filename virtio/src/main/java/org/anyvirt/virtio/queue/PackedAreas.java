package org.anyvirt.virtio.queue;

import static org.anyvirt.virtio.spec.PackedRingLayout.DESC_ALIGN;
import static org.anyvirt.virtio.spec.PackedRingLayout.EVENT_SIZE;

import java.lang.foreign.MemorySegment;
import org.anyvirt.virtio.memory.Access;
import org.anyvirt.virtio.memory.BusMemory;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.spec.DescriptorLayout;

/** The memory of a packed virtqueue's three parts (VIRTIO 1.3, 2.8.10.1). */
record PackedAreas(MemorySegment ring, MemorySegment driverEvent, MemorySegment deviceEvent) {
    static PackedAreas find(BusMemory memory, QueueLayout layout) throws UnmappedRangeException {
        return new PackedAreas(
                RingAccess.area(
                        memory,
                        layout.descriptorArea(),
                        (long) layout.size() * DescriptorLayout.SIZE,
                        DESC_ALIGN,
                        Access.DEVICE_WRITABLE),
                RingAccess.area(
                        memory,
                        layout.driverArea(),
                        EVENT_SIZE,
                        EVENT_SIZE,
                        Access.DEVICE_READABLE),
                RingAccess.area(
                        memory,
                        layout.deviceArea(),
                        EVENT_SIZE,
                        EVENT_SIZE,
                        Access.DEVICE_WRITABLE));
    }

    /** Memory of nobody, for a queue whose ring is gone. */
    static PackedAreas scratch(int size) {
        return new PackedAreas(
                RingAccess.scratch((long) size * DescriptorLayout.SIZE, DESC_ALIGN),
                RingAccess.scratch(EVENT_SIZE, EVENT_SIZE),
                RingAccess.scratch(EVENT_SIZE, EVENT_SIZE));
    }
}
