package org.anyvirt.e2e.guest;

import java.io.IOException;
import java.time.Duration;

/** Writes at random with checksums in the data, and reads it all back: fio in the guest. */
public final class Fio {
    private static final Duration DEADLINE = Duration.ofMinutes(3);

    private Fio() {}

    /**
     * Runs a job on each CPU and verifies; fio ends with an error at the first wrong byte.
     *
     * @param jobs one a CPU, each on its own part of the disk
     * @param megabytes that each job writes
     * @return what fio printed
     */
    public static String verify(Guest guest, String disk, int jobs, int megabytes)
            throws IOException {
        return run(guest, disk, jobs, megabytes, "--rw=randwrite");
    }

    /** Runs with options that replace the defaults. */
    public static String run(Guest guest, String disk, int jobs, int megabytes, String options)
            throws IOException {
        String script =
                """
                fio --name=verify --filename=/dev/%s --ioengine=libaio --direct=1 --iodepth=32 \
                    --bssplit=512/15:4k/50:64k/20:1m/15 --size=%dM --numjobs=%d --offset_increment=%dM \
                    --cpus_allowed=0-%d --cpus_allowed_policy=split --fsync=64 \
                    --verify=crc32c --verify_fatal=1 --exitall_on_error --group_reporting %s
                """;
        String command =
                script.formatted(disk, megabytes, jobs, megabytes, jobs - 1, options).strip();
        return guest.run(command, DEADLINE);
    }

    /** Its version, as the guest runs it. */
    public static String version(Guest guest) throws IOException {
        return guest.run("fio --version").replace("fio-", "");
    }
}
