package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A peer truncates the memory that it shares: the fault stays with the device whose memory it is.
 */
class NativeTransitionTest {
    /**
     * Serves two devices by turns and truncates the memory of one. In a process of its own, as
     * SIGBUS may end it.
     */
    static final class Program {
        public static void main(String[] arguments) throws Exception {
            int turns = Integer.parseInt(arguments[0]);
            int truncated = turns - 1000;
            try (Device healthy = new Device();
                    Device sick = new Device()) {
                for (int turn = 0; turn < turns; turn++) {
                    if (turn == truncated) {
                        OpenFile.truncate(sick.file, 0);
                    }
                    healthy.serve();
                    sick.serve();
                }
                System.out.println(
                        "healthy %d/%d sick %d/%d"
                                .formatted(
                                        healthy.served, healthy.faults, sick.served, sick.faults));
                System.out.println(healthy.memory.get(JAVA_LONG, 64) == turns);
            }
        }
    }

    private static final class Device implements AutoCloseable {
        final Fd file = Memfd.create("device", 1 << 16);
        final Mapping mapping = Mapping.of(file, 0, 1 << 16, true);
        final MemorySegment memory = mapping.memory();
        long served;
        long faults;

        Device() throws ErrnoException {}

        void serve() {
            try {
                memory.set(JAVA_LONG, 64, memory.get(JAVA_LONG, 64) + 1);
                NativeTransition.cross();
                served++;
            } catch (InternalError fault) {
                faults++;
            }
        }

        @Override
        public void close() {
            mapping.close();
            file.close();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "-Xint, 20000",
        "-XX:TieredStopAtLevel=1, 200000",
        "-XX:+TieredCompilation, 2000000",
    })
    void theFaultOfOneDeviceIsNeverBlamedOnItsNeighbour(String option, int turns) throws Exception {
        List<String> options = List.of(ChildJvm.NATIVE_ACCESS, option);
        Process process = ChildJvm.start(Program.class, options, turns);
        String output = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor()).as(output).isZero();
        assertThat(output)
                .isEqualTo("healthy %d/0 sick %d/1000\ntrue\n".formatted(turns, turns - 1000));
    }

    @Test
    void aCopyFromTruncatedMemoryIsCaughtToo() throws Exception {
        try (Device sick = new Device()) {
            MemorySegment copy = MemorySegment.ofArray(new byte[1 << 16]);
            OpenFile.truncate(sick.file, 4096);
            int faults = 0;
            for (int i = 0; i < 100; i++) {
                try {
                    MemorySegment.copy(sick.memory, 0, copy, 0, 1 << 16);
                    NativeTransition.cross();
                } catch (InternalError fault) {
                    faults++;
                }
            }
            assertThat(faults).isEqualTo(100);
        }
    }

    @Test
    void theKernelRefusesTruncatedMemoryWithAnError() throws Exception {
        // A request straight from a mapping: EFAULT for it, and no signal.
        try (Device sick = new Device();
                Fd file = Memfd.create("written-to", 1)) {
            OpenFile.truncate(sick.file, 0);
            try (IoUring ring = new IoUring(1)) {
                ring.write(file.number(), sick.memory.address(), 512, 0, 1);
                ring.submitAndWait(1);
                int[] results = new int[1];
                ring.reap((userData, result) -> results[0] = result);
                assertThat(results[0]).isEqualTo(-Errno.EFAULT);
            }
        }
    }
}
