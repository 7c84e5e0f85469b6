package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_S_OK;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.anyvirt.e2e.hostile.HostileSession.Kind;

/** A chain that breaks its queue. */
@FunctionalInterface
interface Attack {
    /** Makes the chain; null stands for the status byte. */
    Element[] chain(HostileSession session) throws IOException;

    /** The ring finds it; the log names the head, and {@code value}. */
    default void breaksRing(ServedDisks disks, Kind kind, String value) throws IOException {
        // After a good one of three descriptors.
        breaks(disks, kind, 3, value);
    }

    /** The device finds it; a packed ring's chain goes by its buffer id then. */
    default void breaksRequest(ServedDisks disks, Kind kind, String value) throws IOException {
        breaks(disks, kind, kind == Kind.PACKED ? 1 : 3, value);
    }

    private void breaks(ServedDisks disks, Kind kind, int head, String value) throws IOException {
        try (HostileSession session = HostileSession.open(disks, "disk", kind)) {
            int good = session.run(session.writeHeader(), session.out(512), session.status());
            assertThat(good).isEqualTo(VIRTIO_BLK_S_OK);
            Element[] chain = chain(session);
            Element status = session.status();
            for (int i = 0; i < chain.length; i++) {
                chain[i] = chain[i] == null ? status : chain[i];
            }
            session.offer(chain);
            session.assertBroken("queue 0, head " + head + ": ", value);
            assertThat(session.statusWritten()).as("the status").isNotEqualTo(VIRTIO_BLK_S_OK);
        }
    }
}
