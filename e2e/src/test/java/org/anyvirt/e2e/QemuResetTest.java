package org.anyvirt.e2e;

import static org.anyvirt.transports.vhostuser.message.FrontendRequest.RESET_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.anyvirt.driver.vhostuser.VhostUserFrontend;
import org.anyvirt.e2e.guest.Backend;
import org.anyvirt.e2e.guest.Backends;
import org.anyvirt.e2e.guest.Guest;
import org.anyvirt.e2e.guest.Machine;
import org.anyvirt.e2e.guest.Places;
import org.anyvirt.e2e.guest.RealGuest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;

/**
 * QEMU's vhost-user-blk-pci sends no RESET_DEVICE before QEMU 8.2; its vhost-user-scsi-pci does, to
 * any backend that offers it. With its CPUs stopped it never starts a queue.
 */
@RealGuest
class QemuResetTest {
    private static final Duration DEADLINE = Duration.ofSeconds(20);

    @Test
    void aResetIsUnderstood(TestInfo test) throws IOException {
        assumeThat(Backends.isControl()).as("offered by a peer").isFalse();
        Path file = Places.logs().resolve("reset.img");
        try (Backend backend = Backends.start("reset", Backend.Disk.of(file, 1 << 20))) {
            Machine machine = new Machine("reset").stopped();
            machine.frontend("vhost-user-scsi-pci", backend.socket());
            try (Guest guest = machine.start()) {
                assertThat(guest.awaitMessage(RESET_DEVICE, DEADLINE)).isTrue();
                guest.monitor("system_reset", Map.of());
                guest.quit();
                Witness.qemu("vhost-user-scsi-pci").sawMessages(test, guest);
            }
            try (VhostUserFrontend next = VhostUserFrontend.connect(backend.socket())) {
                assertThat(next.getFeatures()).as(backend.log()).isNotZero();
            }
        }
        Files.delete(file);
    }
}
