package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_NEXT;
import static org.anyvirt.virtio.spec.SplitRingLayout.AVAIL_ENTRY_SIZE;
import static org.anyvirt.virtio.spec.SplitRingLayout.AVAIL_IDX;
import static org.anyvirt.virtio.spec.SplitRingLayout.AVAIL_RING;
import static org.anyvirt.virtio.spec.SplitRingLayout.USED_IDX;

import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.driver.queue.QueueMemory;

/** A split ring (VIRTIO 1.3, 2.7). */
final class RawSplitRing extends RawRing {
    private int nextDescriptor;
    private int available;

    RawSplitRing(QueueMemory memory) {
        super(memory);
    }

    @Override
    int add(Element... chain) {
        int head = nextDescriptor;
        for (int i = 0; i < chain.length; i++) {
            int next = (nextDescriptor + 1) % size();
            boolean last = i + 1 == chain.length;
            descriptor(
                    nextDescriptor, last ? chain[i] : chain[i].withFlags(VIRTQ_DESC_F_NEXT), next);
            nextDescriptor = next;
        }
        addHead(head);
        return head;
    }

    /** Writes a descriptor, with the flags of the element and no other. */
    void descriptor(int index, Element element, int next) {
        put(memory().descriptorArea().memory(), index, element, element.flags(), next);
    }

    /** Writes the next entry of the available ring. */
    void addHead(int head) {
        long entry = AVAIL_RING + (long) (available % size()) * AVAIL_ENTRY_SIZE;
        putU16(memory().driverArea().memory(), entry, head);
        available++;
    }

    @Override
    void publish() {
        publish(available);
    }

    /** Tells the device any available index. */
    void publish(int index) {
        putU16(memory().driverArea().memory(), AVAIL_IDX, index);
    }

    int available() {
        return available;
    }

    @Override
    int used() {
        return u16(memory().deviceArea().memory(), USED_IDX);
    }

    @Override
    Element table(SharedRange range, Element... entries) {
        for (int i = 0; i < entries.length; i++) {
            int flags = entries[i].flags() | (i + 1 < entries.length ? VIRTQ_DESC_F_NEXT : 0);
            put(range.memory(), i, entries[i], flags, i + 1);
        }
        return Element.table(range.slice(0, entries.length * 16L));
    }
}
