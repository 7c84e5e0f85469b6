package org.anyvirt.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import org.anyvirt.driver.vhostuser.VhostUserFrontend;
import org.anyvirt.e2e.guest.Backend;
import org.anyvirt.e2e.guest.Backends;
import org.anyvirt.e2e.guest.Places;
import org.anyvirt.e2e.guest.RealGuest;
import org.anyvirt.transports.vhostuser.message.ProtocolFeature;
import org.anyvirt.virtio.spec.BlockLayout;
import org.anyvirt.virtio.spec.FeatureBits;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;

/** After all guests: writes `docs/proof.md`, and holds it against what the daemon offers. */
@RealGuest
@Order(Integer.MAX_VALUE)
class ProofTest {
    /** What no feature bit says, and is on by default all the same. */
    private static final List<String> WITHOUT_BIT =
            List.of(
                    "split virtqueue",
                    "VIRTIO_BLK_T_IN",
                    "VIRTIO_BLK_T_OUT",
                    "VIRTIO_BLK_T_FLUSH",
                    "VIRTIO_BLK_T_DISCARD",
                    "VIRTIO_BLK_T_WRITE_ZEROES",
                    "VIRTIO_BLK_T_GET_ID",
                    "VIRTIO_BLK_F_RO",
                    "live resize",
                    "vhost-user backend CONFIG_CHANGE_MSG",
                    "reset and a second start",
                    "the next frontend after one has gone",
                    "several devices in one process",
                    "store file: direct=off",
                    "store file: direct=on",
                    "store memory:");

    @Test
    @Order(1)
    void writesThePage() throws IOException {
        assumeThat(Backends.isControl()).as("a peer proves nothing about us").isFalse();
        Path repository = Places.repository();
        String page = ProofPage.read(repository).render();
        Path docs = Files.createDirectories(repository.resolve("docs"));
        Files.writeString(docs.resolve("proof.md"), page);
    }

    @Test
    @Order(2)
    void whatIsOnByDefaultHasAWitness() throws IOException {
        assumeThat(Backends.isControl()).as("a peer proves nothing about us").isFalse();
        SortedSet<String> features = offered();
        features.addAll(WITHOUT_BIT);
        assertThat(ProofPage.read(Places.repository()).unwitnessed(features))
                .as("No witness: to be off by default")
                .isEmpty();
    }

    /** What the daemon offers to whoever connects, by name. */
    private static SortedSet<String> offered() throws IOException {
        Path file = Places.logs().resolve("proof.img");
        SortedSet<String> names = new TreeSet<>();
        try (Backend backend = Backends.start("proof", Backend.Disk.of(file, 1 << 20));
                VhostUserFrontend frontend = VhostUserFrontend.connect(backend.socket())) {
            long features = frontend.getFeatures();
            long own = 1L << ProtocolFeature.VHOST_USER_F_PROTOCOL_FEATURES;
            for (int bit = 0; bit < Long.SIZE; bit++) {
                if ((features & ~own & 1L << bit) != 0) {
                    names.add(name(bit));
                }
            }
            long protocol = frontend.getProtocolFeatures();
            for (ProtocolFeature feature : ProtocolFeature.values()) {
                if (feature.in(protocol)) {
                    names.add(feature.name());
                }
            }
        }
        Files.deleteIfExists(file);
        return names;
    }

    private static String name(int bit) {
        List<Field> fields = new ArrayList<>(List.of(FeatureBits.class.getFields()));
        fields.addAll(List.of(BlockLayout.class.getFields()));
        return fields.stream()
                .filter(field -> Modifier.isStatic(field.getModifiers()))
                .filter(field -> field.getName().matches("VIRTIO_(BLK_)?F_.*"))
                .filter(field -> value(field) == bit)
                .map(Field::getName)
                .findFirst()
                .orElse("feature bit " + bit);
    }

    private static int value(Field field) {
        try {
            return field.getInt(null);
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
    }
}
