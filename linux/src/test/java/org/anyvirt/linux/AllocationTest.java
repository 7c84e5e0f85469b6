package org.anyvirt.linux;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

/** What the data plane calls allocates nothing: bytes of this thread, measured. */
class AllocationTest {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private interface Turn {
        void run() throws ErrnoException;
    }

    @Test
    void aMillionRequestsThroughIoUringAllocateNothing() throws Exception {
        long[] completed = new long[1];
        IoUring.Completions count = (userData, result) -> completed[0] += userData + result;
        try (IoUring ring = new IoUring(64)) {
            Turn turn =
                    () -> {
                        for (int i = 0; i < 32; i++) {
                            ring.nop(1);
                        }
                        ring.submit();
                        for (int i = 0; i < 32; i++) {
                            ring.nop(1);
                        }
                        ring.submitAndWait(64, 1000);
                        ring.reap(count);
                    };
            assertAllocatesNothing(turn, 1_000_000 / 64);
            assertThat(ring.inFlight()).isZero();
            assertThat(completed[0]).isPositive();
        }
    }

    @Test
    void wakingUpAndCrossingAllocatesNothing() throws Exception {
        try (Epoll epoll = new Epoll();
                EventFd event = new EventFd()) {
            int fd = event.fd().number();
            epoll.add(fd, Epoll.EPOLLIN, fd);
            Turn turn =
                    () -> {
                        EventFd.signal(fd);
                        if (epoll.await(1000) == 1 && epoll.data(0) == fd) {
                            EventFd.drain(fd);
                        }
                        epoll.await(0);
                        NativeTransition.cross();
                    };
            assertAllocatesNothing(turn, 50_000);
        }
    }

    /**
     * The first rounds link and are compiled, and a deoptimisation may put a few hundred bytes on
     * the heap at any time; what allocates for each request does so in every round.
     */
    private static void assertAllocatesNothing(Turn turn, int turns) throws ErrnoException {
        allocatedBy(turn, 5_000);
        long allocated = allocatedBy(turn, turns);
        for (int round = 1; round < 5 && allocated > 0; round++) {
            allocated = allocatedBy(turn, turns);
        }
        assertThat(allocated).isZero();
    }

    private static long allocatedBy(Turn turn, int turns) throws ErrnoException {
        long before = THREADS.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < turns; i++) {
            turn.run();
        }
        return THREADS.getCurrentThreadAllocatedBytes() - before;
    }
}
