package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.anyvirt.linux.OpenFile.FALLOC_FL_KEEP_SIZE;
import static org.anyvirt.linux.OpenFile.FALLOC_FL_PUNCH_HOLE;
import static org.anyvirt.linux.OpenFile.O_CREAT;
import static org.anyvirt.linux.OpenFile.O_RDWR;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IoUringTest {
    @TempDir Path directory;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory = arena.allocate(1 << 16, 4096);
    private final Map<Long, Integer> results = new LinkedHashMap<>();
    private final IoUring.Completions recorder = this::record;
    private IoUring ring;
    private Fd file;

    @BeforeEach
    void open() throws Exception {
        ring = new IoUring(8);
        file = OpenFile.open(directory.resolve("disk.img"), O_RDWR | O_CREAT, 0600);
    }

    @AfterEach
    void close() {
        ring.close();
        file.close();
        arena.close();
    }

    @Test
    void readsWhatItWrote() throws Exception {
        memory.asSlice(0, 4096).fill((byte) 7);
        ring.write(file.number(), memory.address(), 4096, 8192, 1);
        assertThat(resultOf(1)).isEqualTo(4096);
        ring.read(file.number(), memory.address() + 4096, 8192, 8192, 2);
        assertThat(resultOf(2)).isEqualTo(4096); // the file ends there
        assertThat(memory.get(JAVA_BYTE, 8191)).isEqualTo((byte) 7);
    }

    @Test
    void scattersAndGathers() throws Exception {
        for (int i = 0; i < 3; i++) {
            memory.asSlice(i * 1024L, 512).fill((byte) (i + 1));
        }
        ring.writev(file.number(), iovecs(32768, 0, 3), 3, 512, 1);
        assertThat(resultOf(1)).isEqualTo(3 * 512);
        assertThat(OpenFile.stat(file).size()).isEqualTo(4 * 512);
        ring.readv(file.number(), iovecs(32768, 8192, 3), 3, 512, 2);
        assertThat(resultOf(2)).isEqualTo(3 * 512);
        for (int i = 0; i < 3; i++) {
            assertThat(memory.get(JAVA_BYTE, 8192 + i * 1024L + 511)).isEqualTo((byte) (i + 1));
            assertThat(memory.get(JAVA_BYTE, 8192 + i * 1024L + 512)).isZero();
        }
    }

    @Test
    void iovecsMayBeReusedOnceSubmitted() throws Exception {
        OpenFile.truncate(file, 1 << 16);
        long iovecs = iovecs(32768, 0, 2);
        ring.readv(file.number(), iovecs, 2, 0, 1);
        ring.submit();
        memory.asSlice(32768, 32).fill((byte) 0xff); // would be EFAULT
        ring.submitAndWait(1);
        ring.reap(recorder);
        assertThat(results).containsEntry(1L, 1024);
    }

    @Test
    void synchronisesAndAllocates() throws Exception {
        int fd = file.number();
        ring.fallocate(fd, 0, 0, 65536, 1);
        assertThat(resultOf(1)).isZero();
        assertThat(OpenFile.stat(file).size()).isEqualTo(65536);
        assertThat(OpenFile.stat(file).blocks512()).isGreaterThanOrEqualTo(128);
        ring.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 65536, 2);
        assertThat(resultOf(2)).isZero();
        assertThat(OpenFile.stat(file).blocks512()).isZero();
        ring.prepare(IoUring.IORING_OP_WRITE, fd, memory.address(), 512, 0, IoUring.RWF_DSYNC, 3);
        assertThat(resultOf(3)).isEqualTo(512);
        ring.fsync(fd, false, 4);
        ring.fsync(fd, true, 5);
        assertThat(resultOf(4)).isZero();
        assertThat(resultOf(5)).isZero();
    }

    @Test
    void aFailedRequestCompletesWithItsErrorAndTheRestGoesOn() throws Exception {
        ring.read(file.number(), 16, 512, 0, 1); // no such memory
        ring.read(4711, memory.address(), 512, 0, 2);
        ring.nop(3);
        assertThat(ring.submit()).isEqualTo(3);
        ring.submitAndWait(3);
        ring.reap(recorder);
        assertThat(results).containsEntry(1L, 0); // nothing to read, so no need of the memory
        OpenFile.truncate(file, 512);
        ring.read(file.number(), 16, 512, 0, 4);
        assertThat(resultOf(4)).isEqualTo(-Errno.EFAULT);
        assertThat(results).containsEntry(2L, -Errno.EBADF).containsEntry(3L, 0);
    }

    @Test
    void countsSpaceAndRequestsInFlight() throws Exception {
        assertThat(ring.space()).isEqualTo(8);
        for (int i = 0; i < 8; i++) {
            ring.nop(i);
        }
        assertThat(ring.space()).isZero();
        assertThat(ring.inFlight()).isZero();
        assertThatThrownBy(() -> ring.nop(8)).isInstanceOf(AssertionError.class);
        assertThat(ring.submit()).isEqualTo(8);
        assertThat(ring.space()).isEqualTo(8);
        assertThat(ring.inFlight()).isEqualTo(8);
        assertThat(ring.reap(recorder)).isEqualTo(8);
        assertThat(ring.inFlight()).isZero();
        assertThat(ring.submit()).isZero();
        assertThat(ring.reap(recorder)).isZero();
    }

    @Test
    void entriesAreRoundedUpToAPowerOfTwo() throws Exception {
        try (IoUring five = new IoUring(5);
                IoUring clamped = new IoUring(1 << 20)) {
            assertThat(five.space()).isEqualTo(8);
            assertThat(clamped.space()).isLessThan(1 << 20);
        }
    }

    @Test
    void losesNothingWhenTheCompletionQueueOverflows() throws Exception {
        // 8 entries have 16 completions; 100 are left to pile up.
        long submitted = 0;
        for (int i = 0; i < 100; i++) {
            ring.nop(i);
            submitted += ring.submit();
        }
        assertThat(submitted).isEqualTo(100);
        assertThat(ring.inFlight()).isEqualTo(100);
        assertThat(Poll.await(0, ring.fd())).isZero();
        assertThat(ring.reap(recorder)).isEqualTo(100);
        assertThat(results).hasSize(100).containsKeys(0L, 99L);
        assertThat(ring.inFlight()).isZero();
        assertThat(Poll.await(0, ring.fd())).isEqualTo(-1);
    }

    @Test
    void aThrowingListenerIsNotToldTwice() throws Exception {
        for (int i = 0; i < 4; i++) {
            ring.nop(i);
        }
        ring.submit();
        IoUring.Completions throwing =
                (userData, result) -> {
                    record(userData, result);
                    throw new IllegalStateException("at " + userData);
                };
        assertThatThrownBy(() -> ring.reap(throwing)).hasMessage("at 0");
        assertThat(ring.reap(recorder)).isEqualTo(3);
        assertThat(results).containsOnlyKeys(0L, 1L, 2L, 3L);
    }

    @Test
    void completionsMaySubmitAndReap() throws Exception {
        ring.nop(1);
        ring.nop(2);
        ring.submit();
        int reaped =
                ring.reap((userData, result) -> {
                    record(userData, result);
                    if (userData == 1) {
                        ring.nop(3);
                        submitAndReap();
                    }
                });
        assertThat(reaped).isEqualTo(1); // the others within
        assertThat(results).containsOnlyKeys(1L, 2L, 3L);
        assertThat(ring.inFlight()).isZero();
    }

    @Test
    void waitsNoLongerThanTold() throws Exception {
        try (EventFd event = blockingEventFd()) {
            ring.read(event.fd().number(), memory.address(), 8, 0, 1);
            long start = System.nanoTime();
            assertThat(ring.submitAndWait(1, 30)).isEqualTo(1);
            assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(29_000_000);
            assertThat(ring.reap(recorder)).isZero();
            assertThat(ring.submitAndWait(1, 0)).isZero();
            event.signal();
            ring.submitAndWait(1, 10_000);
            assertThat(ring.reap(recorder)).isEqualTo(1);
            assertThat(results).containsEntry(1L, 8);
        }
    }

    @Test
    void cancelsWhatWaits() throws Exception {
        try (EventFd event = blockingEventFd()) {
            ring.read(event.fd().number(), memory.address(), 8, 0, 1);
            ring.submit();
            ring.cancel(1, 2);
            ring.submitAndWait(2);
            ring.reap(recorder);
            assertThat(results).containsEntry(1L, -Errno.ECANCELED).containsEntry(2L, 0);
        }
    }

    @Test
    void closingEndsRequestsInFlight() throws Exception {
        try (EventFd event = blockingEventFd()) {
            for (int i = 0; i < 4; i++) {
                ring.read(event.fd().number(), memory.address() + 8L * i, 8, 0, i);
            }
            ring.submit();
            ring.nop(4); // and one that is only prepared
            ring.close();
            ring.close();
            event.signal();
            assertThat(event.drain()).isEqualTo(1); // no read is left that would have taken it
        }
    }

    @Test
    void aRingMadeHereServesARunnerThatSleepsInEpoll() throws Exception {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        try (EventFd event = blockingEventFd()) {
            Thread runner =
                    Thread.ofPlatform()
                            .uncaughtExceptionHandler((thread, error) -> failure.set(error))
                            .start(() -> serve(event));
            runner.join();
            assertThat(failure.get()).isNull();
            assertThat(results).containsEntry(1L, 8).containsEntry(2L, 0);
        }
        ring.nop(3); // and back
        assertThat(resultOf(3)).isZero();
    }

    @Test
    void aBusyThreadSeesCompletionsWithoutSleeping() throws Exception {
        try (EventFd event = blockingEventFd()) {
            ring.read(event.fd().number(), memory.address(), 8, 0, 1);
            ring.submit();
            assertThat(ring.reap(recorder)).isZero();
            Thread signaller = Thread.ofPlatform().start(() -> signal(event));
            while (ring.reap(recorder) == 0) {
                Thread.onSpinWait();
            }
            assertThat(results).containsEntry(1L, 8);
            signaller.join();
        }
    }

    @Test
    void refusesWhatTheKernelRefuses() {
        assertThatThrownBy(() -> new IoUring(0))
                .isInstanceOf(ErrnoException.class)
                .hasMessageStartingWith("io_uring_setup: EINVAL")
                .hasMessageEndingWith(": 0 entries");
    }

    @Test
    void tellsHowToAllowIoUring() {
        assertThat(RingSetup.remedy(Errno.EPERM, "2"))
                .contains("kernel.io_uring_disabled is 2")
                .contains("sysctl kernel.io_uring_disabled=0")
                .doesNotContain("group");
        assertThat(RingSetup.remedy(Errno.EPERM, "1")).contains("kernel.io_uring_group");
        assertThat(RingSetup.remedy(Errno.EPERM, "0")).contains("seccomp");
        assertThat(RingSetup.remedy(Errno.ENOSYS, "0")).contains("built without io_uring");
        assertThat(RingSetup.remedy(Errno.ENOMEM, "0")).contains("ulimit -l");
        assertThat(RingSetup.remedy(Errno.EINVAL, "0")).isEmpty();
    }

    private void serve(EventFd event) {
        try (Epoll epoll = new Epoll()) {
            epoll.add(ring.fd(), Epoll.EPOLLIN, 5);
            ring.read(event.fd().number(), memory.address(), 8, 0, 1);
            ring.submit();
            assertThat(epoll.await(0)).isZero();
            Thread signaller = Thread.ofPlatform().start(() -> signal(event));
            assertThat(epoll.await(-1)).isEqualTo(1);
            assertThat(epoll.data(0)).isEqualTo(5);
            assertThat(ring.reap(recorder)).isEqualTo(1);
            assertThat(memory.get(JAVA_LONG, 0)).isEqualTo(1);
            assertThat(epoll.await(0)).isZero();
            ring.nop(2);
            ring.submit();
            assertThat(epoll.await(-1)).isEqualTo(1);
            ring.reap(recorder);
            signaller.join();
        } catch (ErrnoException | InterruptedException failed) {
            throw new AssertionError(failed);
        }
    }

    /** A read of it waits, where one of a non-blocking eventfd would fail. */
    private static EventFd blockingEventFd() throws ErrnoException {
        EventFd event = new EventFd();
        int flags = OpenFile.statusFlags(event.fd()) & ~OpenFile.O_NONBLOCK;
        Libc.fcntl(event.fd().number(), OpenFile.F_SETFL, flags);
        return event;
    }

    private long iovecs(long at, long data, int count) {
        for (int i = 0; i < count; i++) {
            memory.set(JAVA_LONG, at + 16L * i, memory.address() + data + 1024L * i);
            memory.set(JAVA_LONG, at + 16L * i + 8, 512);
        }
        return memory.address() + at;
    }

    private int resultOf(long userData) throws ErrnoException {
        while (!results.containsKey(userData)) {
            ring.submitAndWait(1, 10_000);
            assertThat(ring.reap(recorder)).isPositive();
        }
        return results.get(userData);
    }

    private void submitAndReap() {
        try {
            ring.submit();
            ring.reap(recorder);
        } catch (ErrnoException failed) {
            throw new AssertionError(failed);
        }
    }

    private void record(long userData, int result) {
        assertThat(results.put(userData, result)).isNull();
    }

    private static void signal(EventFd event) {
        try {
            event.signal();
        } catch (ErrnoException failed) {
            throw new AssertionError(failed);
        }
    }
}
