package org.anyvirt.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.anyvirt.e2e.guest.AnyvirtDaemon;
import org.anyvirt.e2e.guest.Backends;
import org.anyvirt.e2e.guest.Fio;
import org.anyvirt.e2e.guest.Guest;
import org.anyvirt.e2e.guest.HostFile;
import org.anyvirt.e2e.guest.Machine;
import org.anyvirt.e2e.guest.Places;
import org.anyvirt.e2e.guest.RealGuest;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;

/** Several disks of one process, from a configuration file, in one Linux guest. */
@RealGuest
class LinuxManyDisksTest {
    private static final int MIB = 1 << 20;
    private static final String BLOCK =
            """
            fixed:
              store: file:%s
              on: vhost-user:SOCKETS/fixed
              serial: fixed-0001
              read-only: true
            scratch:
              store: memory:48M
              on: vhost-user:SOCKETS/scratch
              serial: scratch-0001
              queues: 2
            careful:
              store: file:%s,size=32M
              on: vhost-user:SOCKETS/careful
              serial: careful-0001
              cache: writethrough
            """;

    private Path fixed;
    private Path careful;
    private AnyvirtDaemon daemon;
    private Guest guest;

    @BeforeAll
    void boot() throws IOException {
        assumeThat(Backends.isControl()).as("a configuration of ours").isFalse();
        fixed = Places.logs().resolve("many-fixed.img");
        careful = Places.logs().resolve("many-careful.img");
        Files.deleteIfExists(careful);
        byte[] content = new byte[16 * MIB];
        new SplittableRandom(2).nextBytes(content);
        Files.write(fixed, content);
        String block = BLOCK.formatted(fixed, careful);
        daemon = AnyvirtDaemon.serve("many", block, "fixed", "scratch", "careful");
        guest =
                new Machine("many")
                        .linux(true)
                        .cpus(2)
                        .disk(daemon.socket("fixed"))
                        .disk(daemon.socket("scratch"), "num-queues=2", "packed=on")
                        .disk(daemon.socket("careful"))
                        .bootLinux();
    }

    @AfterAll
    void end() throws IOException {
        try (var _ = daemon;
                var _ = guest) {
            if (fixed != null) {
                Files.deleteIfExists(fixed);
                Files.deleteIfExists(careful);
            }
        }
    }

    @Test
    @Order(1)
    void eachDiskIsItself(TestInfo test) throws IOException {
        assertThat(guest.run("cd /sys/block; for d in a b c; do echo $(cat vd$d/serial); done"))
                .isEqualTo("fixed-0001\nscratch-0001\ncareful-0001");
        assertThat(guest.run("cd /sys/block; cat vda/size vdb/size vdc/size"))
                .isEqualTo("32768\n98304\n65536");
        Witness.linux(guest).saw(test, "several devices in one process");
    }

    @Test
    @Order(2)
    void aReadOnlyDiskIsReadAndNotWritten(TestInfo test) throws IOException {
        String before = HostFile.sha256(fixed, 0, 16 * MIB);
        assertThat(guest.run("cat /sys/block/vda/ro")).isEqualTo("1");
        assertThat(guest.run("sha256sum /dev/vda | cut -d' ' -f1")).isEqualTo(before);
        String write = "dd if=/dev/zero of=/dev/vda bs=4k count=1 oflag=direct";
        assertThat(guest.tryRun(write, Guest.COMMAND).status()).isNotZero();
        assertThat(HostFile.sha256(fixed, 0, 16 * MIB)).isEqualTo(before);
        Witness.linux(guest).saw(test, "VIRTIO_BLK_F_RO");
    }

    @Test
    @Order(3)
    void aDiskInMemoryKeepsEveryByte(TestInfo test) throws IOException {
        Fio.verify(guest, "vdb", 2, 16);
        Witness.fio(guest).saw(test, "store memory:");
    }

    @Test
    @Order(4)
    void writethroughIsWhatTheDriverIsTold(TestInfo test) throws IOException {
        assertThat(guest.run("cat /sys/block/vdc/cache_type")).isEqualTo("write through");
        assertThat(guest.run("cat /sys/block/vdb/cache_type")).isEqualTo("write back");
        Witness.linux(guest).saw(test, "VIRTIO_BLK_F_CONFIG_WCE");
    }

    @Test
    @Order(5)
    void controlSeesThem() throws IOException {
        assertThat(daemon.control("list")).contains("fixed", "scratch", "careful", "connected");
    }

    @Test
    @Order(6)
    void theDaemonEndsWhenAskedAndLeavesNoSocket() throws IOException {
        guest.quit();
        assertThat(daemon.terminate()).as(daemon.log()).isIn(0, 143);
        assertThat(daemon.socket("fixed")).doesNotExist();
        assertThat(daemon.socket("control")).doesNotExist();
    }
}
