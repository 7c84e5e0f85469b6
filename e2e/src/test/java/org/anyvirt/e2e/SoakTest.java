package org.anyvirt.e2e;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.anyvirt.e2e.guest.AnyvirtDaemon;
import org.anyvirt.e2e.guest.Backends;
import org.anyvirt.e2e.guest.Fio;
import org.anyvirt.e2e.guest.Guest;
import org.anyvirt.e2e.guest.Machine;
import org.anyvirt.e2e.guest.Places;
import org.anyvirt.e2e.guest.RealGuest;
import org.anyvirt.e2e.guest.Rings;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * One daemon, guest after guest: every byte right, nothing left behind.
 *
 * <p>{@code -Danyvirt.soakMinutes=}, and {@code -Danyvirt.seed=} to run one again.
 */
@RealGuest
@Tag("soak")
class SoakTest {
    private static final long MIB = 1 << 20;
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final int MAX_HOURS = 12;
    private static final int MINUTES = Integer.getInteger("anyvirt.soakMinutes", 10);
    private static final long SEED = Long.getLong("anyvirt.seed", System.nanoTime());
    private static final String BLOCK =
            """
            disk:
              store: file:%s,size=256M,direct=on
              on: vhost-user:SOCKETS/disk
              queues: 4
              runners: 2
            """;

    private final SplittableRandom random = new SplittableRandom(SEED);

    @Test
    @Timeout(value = MAX_HOURS, unit = TimeUnit.HOURS)
    void everyByteIsRightAndNothingIsLeftBehind() throws IOException {
        Path file = Places.logs().resolve("soak.img");
        Files.deleteIfExists(file);
        long end = System.nanoTime() + Duration.ofMinutes(MINUTES).toNanos();
        int round = 0;
        long megabytes = 256;
        try (AnyvirtDaemon daemon = AnyvirtDaemon.serve("soak", BLOCK.formatted(file), "disk")) {
            int settled = 0;
            while (System.nanoTime() < end) {
                megabytes = megabytes == 256 ? 320 : 256;
                serve(daemon, round++, megabytes);
                String gone = "the frontend gone, round " + round + ", " + reproduce();
                assertThat(Backends.await(PATIENCE, () -> idle(daemon))).as(gone).isTrue();
                // What the JVM opens once is open after the first round.
                settled = round == 1 ? daemon.descriptors() : settled;
                assertThat(daemon.descriptors()).as(gone).isEqualTo(settled);
            }
        }
        Files.delete(file);
    }

    private static boolean idle(AnyvirtDaemon daemon) throws IOException {
        return daemon.control("list").contains("waiting");
    }

    private static String reproduce() {
        return "-Danyvirt.seed=" + SEED;
    }

    /** One guest: fio, a filesystem, a resize, and an end of one kind or another. */
    private void serve(AnyvirtDaemon daemon, int round, long megabytes) throws IOException {
        List<Rings> shapes = Rings.all();
        Rings rings = shapes.get(random.nextInt(shapes.size()));
        Machine machine = new Machine("soak").linux(true).cpus(rings.queues());
        try (Guest guest = machine.disk(daemon.socket("disk"), rings.properties()).bootLinux()) {
            String fresh = "--rw=randwrite --randrepeat=0";
            Fio.run(guest, "vda", rings.queues(), 32 / rings.queues(), fresh);
            daemon.control("resize", "disk", megabytes + "M");
            long sectors = megabytes * MIB / 512;
            String seen = "[ $(blockdev --getsz /dev/vda) = %d ]".formatted(sectors);
            guest.await(seen, PATIENCE);
            filesystem(guest);
            if (random.nextBoolean()) {
                guest.reboot();
                filesystem(guest);
            }
            if (round % 2 == 0) {
                guest.quit();
            }
        } catch (IOException e) {
            throw new IOException("round " + round + ", " + rings + ", " + reproduce(), e);
        }
    }

    private static void filesystem(Guest guest) throws IOException {
        guest.run(
                """
                /usr/bin/mke2fs -q -F -t ext4 /dev/vda
                mount -t ext4 -o discard /dev/vda /mnt
                for i in 1 2 3 4; do
                    dd if=/dev/urandom of=/mnt/$i bs=64k count=32 2>/dev/null &
                done
                wait
                sha256sum /mnt/[1-4] >/tmp/sums
                umount /mnt
                echo 3 >/proc/sys/vm/drop_caches
                mount -t ext4 -o discard /dev/vda /mnt
                sha256sum -c /tmp/sums
                rm /mnt/[1-4]
                umount /mnt
                /usr/bin/e2fsck -fn /dev/vda
                """);
    }
}
