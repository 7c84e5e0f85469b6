package org.anyvirt.virtio.queue;

import static org.anyvirt.virtio.spec.SplitRingLayout.AVAIL_ALIGN;
import static org.anyvirt.virtio.spec.SplitRingLayout.AVAIL_ENTRY_SIZE;
import static org.anyvirt.virtio.spec.SplitRingLayout.AVAIL_RING;
import static org.anyvirt.virtio.spec.SplitRingLayout.DESC_ALIGN;
import static org.anyvirt.virtio.spec.SplitRingLayout.EVENT_SIZE;
import static org.anyvirt.virtio.spec.SplitRingLayout.USED_ALIGN;
import static org.anyvirt.virtio.spec.SplitRingLayout.USED_ENTRY_SIZE;
import static org.anyvirt.virtio.spec.SplitRingLayout.USED_RING;

import java.lang.foreign.MemorySegment;
import org.anyvirt.virtio.memory.Access;
import org.anyvirt.virtio.memory.BusMemory;
import org.anyvirt.virtio.memory.UnmappedRangeException;
import org.anyvirt.virtio.spec.DescriptorLayout;

/** The memory of a split virtqueue's three parts (VIRTIO 1.3, 2.7). */
record SplitAreas(MemorySegment descriptors, MemorySegment available, MemorySegment used) {
    static SplitAreas find(BusMemory memory, QueueLayout layout) throws UnmappedRangeException {
        int size = layout.size();
        return new SplitAreas(
                RingAccess.area(
                        memory,
                        layout.descriptorArea(),
                        (long) size * DescriptorLayout.SIZE,
                        DESC_ALIGN,
                        Access.DEVICE_READABLE),
                RingAccess.area(
                        memory,
                        layout.driverArea(),
                        usedEventAt(size) + EVENT_SIZE,
                        AVAIL_ALIGN,
                        Access.DEVICE_READABLE),
                RingAccess.area(
                        memory,
                        layout.deviceArea(),
                        availEventAt(size) + EVENT_SIZE,
                        USED_ALIGN,
                        Access.DEVICE_WRITABLE));
    }

    /** Memory of nobody, for a queue whose ring is gone. */
    static SplitAreas scratch(int size) {
        return new SplitAreas(
                RingAccess.scratch((long) size * DescriptorLayout.SIZE, DESC_ALIGN),
                RingAccess.scratch(usedEventAt(size) + EVENT_SIZE, AVAIL_ALIGN),
                RingAccess.scratch(availEventAt(size) + EVENT_SIZE, USED_ALIGN));
    }

    /** Where {@code used_event} is in the available ring (2.7.6). */
    static long usedEventAt(int size) {
        return AVAIL_RING + (long) size * AVAIL_ENTRY_SIZE;
    }

    /** Where {@code avail_event} is in the used ring (2.7.8). */
    static long availEventAt(int size) {
        return USED_RING + (long) size * USED_ENTRY_SIZE;
    }
}
