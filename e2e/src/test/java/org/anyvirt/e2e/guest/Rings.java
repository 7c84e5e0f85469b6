package org.anyvirt.e2e.guest;

import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_EVENT_IDX;
import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_INDIRECT_DESC;
import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_RING_PACKED;
import static org.anyvirt.virtio.spec.FeatureBits.VIRTIO_F_VERSION_1;

import java.util.ArrayList;
import java.util.List;
import org.anyvirt.virtio.spec.Features;

/**
 * How driver and device are to talk: what a test asks QEMU for, and what the guest must then see.
 *
 * @param queues request queues; the guest gets a CPU for each
 */
public record Rings(int queues, boolean packed, boolean indirect, boolean eventIndex) {
    /** As QEMU gives a disk when nothing else is asked for. */
    public static final Rings DEFAULT = new Rings(1, false, true, true);

    private static final Features SHOWN =
            Features.of(
                    VIRTIO_F_VERSION_1,
                    VIRTIO_F_INDIRECT_DESC,
                    VIRTIO_F_EVENT_IDX,
                    VIRTIO_F_RING_PACKED);

    /** Every combination, with 1 and 4 queues. */
    public static List<Rings> all() {
        List<Rings> all = new ArrayList<>();
        for (int choice = 0; choice < 16; choice++) {
            int queues = (choice & 1) == 0 ? 1 : 4;
            all.add(new Rings(queues, (choice & 2) != 0, (choice & 4) != 0, (choice & 8) != 0));
        }
        return all;
    }

    /** Properties of QEMU's vhost-user-blk-pci. */
    public String[] properties() {
        return new String[] {
            "num-queues=" + queues,
            "packed=" + onOff(packed),
            "indirect_desc=" + onOff(indirect),
            "event_idx=" + onOff(eventIndex)
        };
    }

    /** The bits that follow from this choice. */
    public Features expected() {
        Features features = Features.of(VIRTIO_F_VERSION_1);
        features = packed ? features.with(VIRTIO_F_RING_PACKED) : features;
        features = indirect ? features.with(VIRTIO_F_INDIRECT_DESC) : features;
        return eventIndex ? features.with(VIRTIO_F_EVENT_IDX) : features;
    }

    /** Of what was negotiated, the bits that are chosen here. */
    public static Features chosen(Features negotiated) {
        return negotiated.and(SHOWN);
    }

    /** For names of logs: {@code 4-packed-indirect-event}. */
    @Override
    public String toString() {
        return queues
                + (packed ? "-packed" : "-split")
                + (indirect ? "-indirect" : "-direct")
                + (eventIndex ? "-event" : "-flags");
    }

    private static String onOff(boolean on) {
        return on ? "on" : "off";
    }
}
