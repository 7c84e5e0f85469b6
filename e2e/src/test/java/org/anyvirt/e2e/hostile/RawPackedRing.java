package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.DescriptorLayout.SIZE;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_NEXT;
import static org.anyvirt.virtio.spec.PackedRingLayout.DESC_FLAGS;
import static org.anyvirt.virtio.spec.PackedRingLayout.VIRTQ_DESC_F_AVAIL;
import static org.anyvirt.virtio.spec.PackedRingLayout.VIRTQ_DESC_F_USED;

import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.driver.queue.QueueMemory;

/** A packed ring (VIRTIO 1.3, 2.8). */
final class RawPackedRing extends RawRing {
    private static final int NONE = -1;

    private int next;
    private boolean wrap = true;
    private int nextId;
    private int heldBack = NONE;
    private int heldBackFlags;

    /** Lengths of the chains, in their order, to find where the device goes on. */
    private final int[] lengths = new int[1 << 16];

    private int added;
    private int seen;
    private int nextUsed;
    private boolean usedWrap = true;

    RawPackedRing(QueueMemory memory) {
        super(memory);
    }

    @Override
    int add(Element... chain) {
        int head = addWithId(nextId, chain);
        nextId = (nextId + 1) % size();
        return head;
    }

    /** The same under any buffer id. */
    int addWithId(int id, Element... chain) {
        int head = next;
        for (int i = 0; i < chain.length; i++) {
            boolean last = i + 1 == chain.length;
            descriptor(last ? chain[i] : chain[i].withFlags(VIRTQ_DESC_F_NEXT), id);
        }
        lengths[added++] = chain.length;
        return head;
    }

    /** Writes the next descriptor of the ring, available but for the first one of a batch. */
    void descriptor(Element element, int id) {
        descriptor(element, id, availableFlags());
    }

    /** The same with any AVAIL and USED flags. */
    void descriptor(Element element, int id, int ringFlags) {
        int flags = element.flags() | ringFlags;
        if (heldBack == NONE) {
            heldBack = next;
            heldBackFlags = flags;
            put(memory().descriptorArea().memory(), next, element, id, 0);
            flagsAt(next, usedFlags(!wrap));
        } else {
            put(memory().descriptorArea().memory(), next, element, id, flags);
        }
        if (++next == size()) {
            next = 0;
            wrap = !wrap;
        }
    }

    /** AVAIL as the driver's wrap counter is, USED unlike it. */
    int availableFlags() {
        return wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;
    }

    /** What a descriptor with these flags is to the device: not available. */
    int unavailableFlags() {
        return wrap ? VIRTQ_DESC_F_USED : VIRTQ_DESC_F_AVAIL;
    }

    private static int usedFlags(boolean wrapCounter) {
        return wrapCounter ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0;
    }

    private void flagsAt(int index, int flags) {
        putU16(memory().descriptorArea().memory(), (long) index * SIZE + DESC_FLAGS, flags);
    }

    @Override
    void publish() {
        if (heldBack != NONE) {
            flagsAt(heldBack, heldBackFlags);
            heldBack = NONE;
        }
    }

    @Override
    int used() {
        while (seen < added && isUsed()) {
            nextUsed += lengths[seen++];
            if (nextUsed >= size()) {
                nextUsed -= size();
                usedWrap = !usedWrap;
            }
        }
        return seen;
    }

    private boolean isUsed() {
        int flags =
                u16(memory().descriptorArea().memory(), (long) nextUsed * SIZE + DESC_FLAGS)
                        & usedFlags(true);
        return flags == usedFlags(usedWrap);
    }

    @Override
    Element table(SharedRange range, Element... entries) {
        for (int i = 0; i < entries.length; i++) {
            put(range.memory(), i, entries[i], 0, entries[i].flags());
        }
        return Element.table(range.slice(0, (long) entries.length * SIZE));
    }
}
