package org.anyvirt.driver.block;

import java.util.ArrayList;
import java.util.List;
import org.anyvirt.virtio.spec.FeatureBits;
import org.anyvirt.virtio.spec.Features;

/** A combination of what drivers and devices can agree on. */
public record BlockVariant(boolean packed, boolean indirect, boolean eventIndex) {
    public Features features() {
        Features features = BlockOptions.ALL;
        features = packed ? features.with(FeatureBits.VIRTIO_F_RING_PACKED) : features;
        features = indirect ? features : features.without(FeatureBits.VIRTIO_F_INDIRECT_DESC);
        return eventIndex ? features : features.without(FeatureBits.VIRTIO_F_EVENT_IDX);
    }

    public BlockOptions options() {
        return BlockOptions.defaults().withIndirect(indirect).withWanted(features());
    }

    String[] names() {
        List<String> names = new ArrayList<>();
        names.add(packed ? "VIRTIO_F_RING_PACKED" : "split virtqueue");
        if (indirect) {
            names.add("VIRTIO_F_INDIRECT_DESC");
        }
        if (eventIndex) {
            names.add("VIRTIO_F_EVENT_IDX");
        }
        return names.toArray(String[]::new);
    }

    static List<BlockVariant> all() {
        List<BlockVariant> all = new ArrayList<>();
        for (int bits = 0; bits < 8; bits++) {
            all.add(new BlockVariant((bits & 4) != 0, (bits & 2) != 0, (bits & 1) != 0));
        }
        return all;
    }
}
