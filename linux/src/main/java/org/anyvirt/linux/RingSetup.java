package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Makes an io_uring: io_uring_setup(2) with flags that fit every use here, and an error that says
 * what to do.
 *
 * <p>SINGLE_ISSUER and DEFER_TASKRUN are left out. They bind a ring to one thread for ever, to its
 * creator or, by way of R_DISABLED, to the first that enables it; here a ring is made on the
 * control plane, used by a runner, and may move to another runner with its queue. COOP_TASKRUN
 * saves the interrupt of a running submitter and has no such bond: the flag that TASKRUN_FLAG
 * shows, and the thread's next entry into the kernel, find the completion.
 */
final class RingSetup {
    static final int IORING_SETUP_CLAMP = 1 << 4;
    static final int IORING_SETUP_SUBMIT_ALL = 1 << 7; // Linux 5.18
    static final int IORING_SETUP_COOP_TASKRUN = 1 << 8; // Linux 5.19
    static final int IORING_SETUP_TASKRUN_FLAG = 1 << 9;

    static final int IORING_FEAT_SINGLE_MMAP = 1 << 0;
    static final int IORING_FEAT_NODROP = 1 << 1;
    static final int IORING_FEAT_SUBMIT_STABLE = 1 << 2;
    static final int IORING_FEAT_EXT_ARG = 1 << 8;

    /** Of Linux 5.11: both rings in one mapping, no completion ever lost, time limits for waits. */
    private static final int FEATURES_NEEDED =
            IORING_FEAT_SINGLE_MMAP
                    | IORING_FEAT_NODROP
                    | IORING_FEAT_SUBMIT_STABLE
                    | IORING_FEAT_EXT_ARG;

    private static final int FLAGS =
            IORING_SETUP_CLAMP
                    | IORING_SETUP_SUBMIT_ALL
                    | IORING_SETUP_COOP_TASKRUN
                    | IORING_SETUP_TASKRUN_FLAG;
    private static final int FLAGS_OLD = IORING_SETUP_CLAMP;

    private static final Path DISABLED = Path.of("/proc/sys/kernel/io_uring_disabled");

    static final class IoUringParams {
        static final int SQ_ENTRIES = 0;
        static final int CQ_ENTRIES = 4;
        static final int FLAGS = 8;
        static final int FEATURES = 20;
        static final int SQ_OFF = 40;
        static final int CQ_OFF = 80;
        static final long SIZE = 120;

        private IoUringParams() {}
    }

    private RingSetup() {}

    /** Makes a ring and has the kernel fill {@code params} in. */
    static Fd create(int entries, MemorySegment params) throws ErrnoException {
        int result = setup(entries, FLAGS, params);
        if (result == -Errno.EINVAL) {
            result = setup(entries, FLAGS_OLD, params);
        }
        if (result < 0) {
            String remedy = remedy(-result, disabledSetting());
            throw ErrnoException.of("io_uring_setup", result, entries + " entries" + remedy);
        }
        Fd fd = new Fd(result);
        int missing = FEATURES_NEEDED & ~params.get(JAVA_INT, IoUringParams.FEATURES);
        if (missing != 0) {
            fd.close();
            throw new ErrnoException(
                    "io_uring_setup",
                    Errno.ENOSYS,
                    "features 0x%x are missing; Linux 5.11 or newer is needed".formatted(missing));
        }
        return fd;
    }

    /** What a person can do about it; with the blank that joins it to the error. */
    static String remedy(int errno, String disabledSetting) {
        return switch (errno) {
            case Errno.EPERM ->
                    disabledSetting.equals("0")
                            ? "; a seccomp filter, as containers have, forbids io_uring: allow its"
                                    + " system calls there"
                            : "; kernel.io_uring_disabled is "
                                    + disabledSetting
                                    + ": allow it with `sysctl kernel.io_uring_disabled=0`"
                                    + (disabledSetting.equals("1")
                                            ? ", or put the user into the group of"
                                                    + " kernel.io_uring_group"
                                            : "");
            case Errno.ENOSYS ->
                    "; this kernel is built without io_uring, or a seccomp filter hides it";
            case Errno.ENOMEM -> "; raise the limit on locked memory (`ulimit -l`)";
            default -> "";
        };
    }

    private static int setup(int entries, int flags, MemorySegment params) {
        params.fill((byte) 0);
        params.set(JAVA_INT, IoUringParams.FLAGS, flags);
        return Libc.ioUringSetup(entries, params);
    }

    /** 0, 1 (privileged users only) or 2 (nobody); before Linux 6.6 there is no such setting. */
    private static String disabledSetting() {
        try {
            return Files.readString(DISABLED).strip();
        } catch (IOException absent) {
            return "0";
        }
    }
}
