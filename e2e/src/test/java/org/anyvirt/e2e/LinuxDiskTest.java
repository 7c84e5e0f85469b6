package org.anyvirt.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.anyvirt.e2e.guest.Backend;
import org.anyvirt.e2e.guest.Backends;
import org.anyvirt.e2e.guest.Guest;
import org.anyvirt.e2e.guest.HostFile;
import org.anyvirt.e2e.guest.Machine;
import org.anyvirt.e2e.guest.Places;
import org.anyvirt.e2e.guest.RealGuest;
import org.anyvirt.e2e.guest.Rings;
import org.anyvirt.virtio.spec.BlockLayout;
import org.anyvirt.virtio.spec.Features;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;

/** A Linux guest uses its disk as guests do: a filesystem, discard, a resize, reboots. */
@RealGuest
class LinuxDiskTest {
    private static final int MIB = 1 << 20;
    private static final int DISCARDS = 12;
    private static final int FLUSHES = 16;

    private Path file;
    private Backend backend;
    private Guest guest;
    private String checksum;

    @BeforeAll
    void boot() throws IOException {
        file = Places.logs().resolve("linux-disk.img");
        Files.deleteIfExists(file);
        backend = Backends.start("linux-disk", Backend.Disk.of(file, 256 * MIB));
        guest = start("linux-disk");
    }

    private Guest start(String name) throws IOException {
        return new Machine(name).linux(true).disk(backend.socket(), "num-queues=1").bootLinux();
    }

    @AfterAll
    void end() throws IOException {
        try (var _ = backend;
                var _ = guest) {
            Files.deleteIfExists(file);
        }
    }

    @Test
    @Order(1)
    void negotiatesWhatWasAsked(TestInfo test) throws IOException {
        Features features = guest.features("vda");
        assertThat(Rings.chosen(features)).isEqualTo(Rings.DEFAULT.expected());
        assertThat(features.has(BlockLayout.VIRTIO_BLK_F_DISCARD)).isTrue();
        assertThat(features.has(BlockLayout.VIRTIO_BLK_F_WRITE_ZEROES)).isTrue();
        Witness.linux(guest)
                .saw(test, "VIRTIO_F_VERSION_1", "VIRTIO_F_INDIRECT_DESC", "VIRTIO_F_EVENT_IDX");
    }

    @Test
    @Order(2)
    void theDiskTellsItsSerial(TestInfo test) throws IOException {
        assertThat(guest.run("cat /sys/block/vda/serial")).isEqualTo(backend.serial());
        Witness.linux(guest).saw(test, "VIRTIO_BLK_T_GET_ID");
    }

    @Test
    @Order(2)
    void theDiskHasTheShapeItSays(TestInfo test) throws IOException {
        String names = "logical_block_size physical_block_size max_segments";
        String shape = guest.run("cd /sys/block/vda/queue; cat " + names);
        List<Integer> values = shape.lines().map(Integer::valueOf).toList();
        assertThat(values.get(0)).isIn(512, 4096);
        assertThat(values.get(1)).isGreaterThanOrEqualTo(values.get(0));
        // Linux has one segment a request when the device says nothing.
        assertThat(values.get(2)).isGreaterThan(1);
        Witness.linux(guest)
                .saw(
                        test,
                        "VIRTIO_BLK_F_BLK_SIZE",
                        "VIRTIO_BLK_F_SEG_MAX",
                        "VIRTIO_BLK_F_TOPOLOGY");
    }

    @Test
    @Order(3)
    void dataLandsWhereTheGuestPutsIt(TestInfo test) throws IOException {
        String script =
                """
                dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null
                dd if=/tmp/data of=/dev/vda bs=1M seek=100 conv=fsync oflag=direct 2>/dev/null
                sha256sum /tmp/data | cut -d' ' -f1
                """;
        String written = guest.run(script);
        assertThat(HostFile.sha256(file, 100L * MIB, 4L * MIB)).isEqualTo(written);
        String readBack =
                """
                echo 3 >/proc/sys/vm/drop_caches
                dd if=/dev/vda bs=1M skip=100 count=4 iflag=direct 2>/dev/null |
                    sha256sum | cut -d' ' -f1
                """;
        assertThat(guest.run(readBack)).isEqualTo(written);
        Witness.linux(guest).saw(test, "VIRTIO_BLK_T_IN", "VIRTIO_BLK_T_OUT");
    }

    @Test
    @Order(4)
    void zeroesARangeAndNoByteMore(TestInfo test) throws IOException {
        String before = HostFile.sha256(file, 102L * MIB, 2L * MIB);
        // Without it Linux would write zeros, and nothing be shown.
        String most = guest.run("cat /sys/block/vda/queue/write_zeroes_max_bytes");
        assertThat(Long.parseLong(most)).isPositive();
        guest.run("/usr/bin/blkdiscard --zeroout --offset 100MiB --length 2MiB /dev/vda");
        assertThat(HostFile.isZero(file, 100L * MIB, 2L * MIB)).isTrue();
        assertThat(HostFile.sha256(file, 102L * MIB, 2L * MIB)).isEqualTo(before);
        Witness.linux(guest).saw(test, "VIRTIO_BLK_F_WRITE_ZEROES", "VIRTIO_BLK_T_WRITE_ZEROES");
    }

    @Test
    @Order(5)
    void aFilesystemKeepsItsFiles(TestInfo test) throws IOException {
        checksum =
                guest.run(
                        """
                        /usr/bin/mke2fs -q -F -t ext4 /dev/vda
                        mount -t ext4 /dev/vda /mnt
                        dd if=/dev/urandom of=/mnt/file bs=1M count=16 2>/dev/null
                        sha256sum /mnt/file | cut -d' ' -f1
                        umount /mnt
                        """);
        guest.run("/usr/bin/e2fsck -fn /dev/vda");
        assertFileIntact();
        // The control starts with writethrough: there is nothing to flush.
        assertThat(Backends.isControl() || sent(FLUSHES) > 0).isTrue();
        Witness.linux(guest).saw(test, "VIRTIO_BLK_F_FLUSH", "VIRTIO_BLK_T_FLUSH");
    }

    /** How many requests of a kind Linux has sent: a field of the disk's `stat`, from 1. */
    private long sent(int field) throws IOException {
        return Long.parseLong(
                guest.run("awk '{ print $%d }' /sys/block/vda/stat".formatted(field)));
    }

    private void assertFileIntact() throws IOException {
        String script =
                """
                echo 3 >/proc/sys/vm/drop_caches
                mount -t ext4 /dev/vda /mnt
                sha256sum /mnt/file | cut -d' ' -f1
                umount /mnt
                """;
        assertThat(guest.run(script)).isEqualTo(checksum);
    }

    @Test
    @Order(6)
    void discardGivesBlocksBackToTheHost(TestInfo test) throws IOException {
        guest.run(
                """
                mount -t ext4 /dev/vda /mnt
                dd if=/dev/urandom of=/mnt/junk bs=1M count=32 2>/dev/null
                sync
                """);
        long full = HostFile.allocated(file);
        guest.run("rm /mnt/junk; sync; /usr/bin/fstrim /mnt; umount /mnt");
        assertThat(sent(DISCARDS)).isPositive();
        assertThat(HostFile.allocated(file)).isLessThan(full - 30L * MIB);
        assertFileIntact();
        guest.run("/usr/bin/e2fsck -fn /dev/vda");
        Witness.linux(guest).saw(test, "VIRTIO_BLK_F_DISCARD", "VIRTIO_BLK_T_DISCARD");
    }

    @Test
    @Order(7)
    void theWriteCacheCanBeTurnedOffAndOn(TestInfo test) throws IOException {
        String script =
                """
                cd /sys/block/vda
                for mode in "write through" "write back"; do
                    echo "$mode" >cache_type
                    cat cache_type queue/write_cache
                    dd if=/dev/urandom of=/dev/vda bs=4k seek=60000 count=64 conv=fsync 2>/dev/null
                done
                """;
        String back = "write back\nwrite back";
        String through = "write through\nwrite through";
        assertThat(guest.run(script)).isEqualTo(through + "\n" + back);
        Witness.linux(guest).saw(test, "VIRTIO_BLK_F_CONFIG_WCE");
    }

    @Test
    @Order(8)
    void aResizeIsSeenLive(TestInfo test) throws IOException {
        assumeThat(Backends.isControl()).as("qemu-storage-daemon 7.2 does not tell").isFalse();
        backend.resize(384L * MIB);
        guest.await("[ $(blockdev --getsz /dev/vda) = 786432 ]", Duration.ofSeconds(10));
        assertThat(guest.run("dmesg | tail -3")).contains("new size: 786432");
        guest.run("dd if=/dev/urandom of=/dev/vda bs=1M seek=383 count=1 oflag=direct 2>/dev/null");
        assertThat(HostFile.isZero(file, 383L * MIB, MIB)).isFalse();
        Witness.linux(guest).saw(test, "live resize");
        Witness.qemu("vhost-user-blk-pci").saw(test, "vhost-user backend CONFIG_CHANGE_MSG");
    }

    @Test
    @Order(9)
    void theDiskIsThereAfterAReboot(TestInfo test) throws IOException {
        guest.reboot();
        assertFileIntact();
        Witness.linux(guest).saw(test, "reset and a second start");
    }

    @Test
    @Order(10)
    void theDiskIsThereAfterAnotherQemuStarts(TestInfo test) throws IOException {
        Witness.qemu("vhost-user-blk-pci").sawMessages(test, guest);
        guest.quit();
        guest.close();
        guest = start("linux-disk-again");
        assertFileIntact();
        guest.run("/usr/bin/e2fsck -fn /dev/vda");
        Witness.linux(guest).saw(test, "the next frontend after one has gone");
    }
}
