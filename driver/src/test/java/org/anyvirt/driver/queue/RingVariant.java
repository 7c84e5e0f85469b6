package org.anyvirt.driver.queue;

import java.util.ArrayList;
import java.util.List;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/** What a driver and a device can agree on about their rings. */
record RingVariant(boolean packed, boolean indirect, boolean eventIndex, boolean inOrder) {
    static List<RingVariant> all() {
        List<RingVariant> all = new ArrayList<>();
        for (int bits = 0; bits < 16; bits++) {
            all.add(
                    new RingVariant(
                            (bits & 8) != 0, (bits & 4) != 0, (bits & 2) != 0, (bits & 1) != 0));
        }
        return all;
    }

    Features features() {
        Features features = Features.of(FeatureBits.VIRTIO_F_VERSION_1);
        features = packed ? features.with(FeatureBits.VIRTIO_F_RING_PACKED) : features;
        features = indirect ? features.with(FeatureBits.VIRTIO_F_INDIRECT_DESC) : features;
        features = eventIndex ? features.with(FeatureBits.VIRTIO_F_EVENT_IDX) : features;
        return inOrder ? features.with(FeatureBits.VIRTIO_F_IN_ORDER) : features;
    }

    @Override
    public String toString() {
        return (packed ? "packed" : "split")
                + (indirect ? ", indirect" : "")
                + (eventIndex ? ", event idx" : "")
                + (inOrder ? ", in order" : "");
    }
}
