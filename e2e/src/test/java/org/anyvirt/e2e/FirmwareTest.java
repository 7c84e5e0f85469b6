package org.anyvirt.e2e;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.UUID;
import org.anyvirt.e2e.guest.Backend;
import org.anyvirt.e2e.guest.Backends;
import org.anyvirt.e2e.guest.BootSector;
import org.anyvirt.e2e.guest.Guest;
import org.anyvirt.e2e.guest.HostFile;
import org.anyvirt.e2e.guest.Machine;
import org.anyvirt.e2e.guest.Places;
import org.anyvirt.e2e.guest.RealGuest;
import org.anyvirt.e2e.guest.SystemPartition;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;

/** Firmware boots from our disk: two drivers that share nothing with Linux's. */
@RealGuest
class FirmwareTest {
    private static final int MIB = 1 << 20;

    /** OVMF would drive a transitional device through its legacy interface. */
    private static final String MODERN = "disable-legacy=on";

    @Test
    void seaBiosBootsASectorThatReadsAndWrites(TestInfo test) throws IOException {
        Path file = Places.logs().resolve("seabios.img");
        String message = "booted by SeaBIOS: " + UUID.randomUUID();
        try (FileChannel channel =
                FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            channel.truncate(0).write(BootSector.disk(message));
            channel.write(ByteBuffer.allocate(1), 16L * MIB - 1);
        }
        try (Backend backend = Backends.start("seabios", Backend.Disk.of(file, 16 * MIB));
                Guest guest =
                        new Machine("seabios").disk(backend.socket(), "bootindex=0").start()) {
            guest.awaitConsole(message, Duration.ofSeconds(60));
            ByteBuffer copy = HostFile.read(file, BootSector.COPY, message.length());
            assertThat(US_ASCII.decode(copy).toString()).isEqualTo(message);
        }
        String[] seen = {
            "VIRTIO_F_VERSION_1", "split virtqueue", "VIRTIO_BLK_T_IN", "VIRTIO_BLK_T_OUT"
        };
        Witness.seaBios().saw(test, seen);
        Files.delete(file);
    }

    @Test
    void ovmfBootsLinuxFromItsSystemPartition(TestInfo test) throws IOException {
        Path file = Places.logs().resolve("ovmf.img");
        String token = UUID.randomUUID().toString();
        SystemPartition.create(file, 96 * MIB, token);
        try (Backend backend = Backends.start("ovmf", Backend.Disk.of(file, 96 * MIB));
                Guest guest =
                        new Machine("ovmf")
                                .ovmf()
                                .disk(backend.socket(), "bootindex=0", MODERN)
                                .bootLinux()) {
            String script =
                    """
                    grep -q efi=1 /proc/cmdline
                    mount -t vfat /dev/vda /mnt
                    cat /mnt/token
                    echo "%s: seen" >/mnt/answer
                    umount /mnt
                    """;
            assertThat(guest.run(script.formatted(token))).isEqualTo(token);
        }
        assertThat(SystemPartition.read(file, "answer")).isEqualTo(token + ": seen");
        Witness.ovmf().saw(test, "VIRTIO_F_VERSION_1", "split virtqueue", "VIRTIO_BLK_T_IN");
        Files.delete(file);
    }
}
