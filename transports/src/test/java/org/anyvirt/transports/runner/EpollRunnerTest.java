package org.anyvirt.transports.runner;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.anyvirt.linux.EventFd;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.Mapping;
import org.anyvirt.linux.Memfd;
import org.anyvirt.linux.OpenFile;
import org.anyvirt.transports.Await;
import org.anyvirt.transports.ProcessResources;
import org.anyvirt.virtio.device.Runner;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class EpollRunnerTest {
    private ProcessResources before;

    @BeforeEach
    void count() {
        before = ProcessResources.now();
    }

    @AfterEach
    void gaveEverythingBack() {
        before.assertBack();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 5_000, 32_000})
    void everyNotificationOfADescriptorWakesIt(long spinNanos) throws Exception {
        try (EpollRunner runner = new EpollRunner("test", spinNanos);
                EventFd notification = new EventFd()) {
            Consumer turn = new Consumer();
            on(runner, () -> runner.attach(turn));
            on(runner, () -> runner.watch(notification.fd().number()));
            for (int i = 1; i <= 30_000; i++) {
                turn.produced = i;
                if (turn.notificationsWanted) {
                    notification.signal();
                }
                turn.awaitConsumed(i);
            }
            on(runner, () -> runner.unwatch(notification.fd().number()));
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 5_000})
    void everyWakeRunsItsTurns(long spinNanos) throws Exception {
        try (EpollRunner runner = new EpollRunner("test", spinNanos)) {
            Consumer turn = new Consumer();
            on(runner, () -> runner.attach(turn));
            for (int i = 1; i <= 30_000; i++) {
                turn.handedOver = i;
                runner.wake();
                turn.awaitConsumed(i);
            }
        }
    }

    @Test
    void everyCommandRunsInOrder() throws Exception {
        List<Integer> ran = new ArrayList<>();
        try (EpollRunner runner = new EpollRunner("test", 0)) {
            for (int i = 0; i < 10_000; i++) {
                int number = i;
                if (i % 3 == 0) {
                    on(runner, () -> ran.add(number));
                } else {
                    runner.execute(() -> ran.add(number));
                }
            }
        }
        assertThat(ran).hasSize(10_000).isSorted();
    }

    @Test
    void aWatchedDescriptorThatIsReadableAlreadyWakesIt() throws Exception {
        try (EpollRunner runner = new EpollRunner("test", 0);
                EventFd notification = new EventFd()) {
            Consumer turn = new Consumer();
            on(runner, () -> runner.attach(turn));
            Await.until("asleep", () -> turn.notificationsWanted);
            turn.produced = 1;
            notification.signal();
            on(runner, () -> runner.watch(notification.fd().number()));
            turn.awaitConsumed(1);
            on(runner, () -> runner.unwatch(notification.fd().number()));
        }
    }

    @Test
    void aBusyTurnLeavesOthersTheirs() throws Exception {
        try (EpollRunner runner = new EpollRunner("test", 0)) {
            Consumer quiet = new Consumer();
            on(runner, () -> runner.attach(new Busy()));
            on(runner, () -> runner.attach(quiet));
            for (int i = 1; i <= 1_000; i++) {
                quiet.produced = i;
                quiet.awaitConsumed(i);
            }
        }
    }

    @Test
    void aTurnThatFailsIsToldAndOthersGoOn() throws Exception {
        try (EpollRunner runner = new EpollRunner("test", 0)) {
            Failing failing = new Failing(false);
            Failing failingTwice = new Failing(true);
            Consumer healthy = new Consumer();
            on(runner, () -> runner.attach(failing));
            on(runner, () -> runner.attach(failingTwice));
            on(runner, () -> runner.attach(healthy));
            for (int i = 1; i <= 1_000; i++) {
                healthy.handedOver = i;
                runner.wake();
                healthy.awaitConsumed(i);
            }
            assertThat(failing.failures).isPositive();
            assertThat(failingTwice.failures).isEqualTo(1);
            assertThat(healthy.failure).isNull();
        }
    }

    @Test
    void memoryThatIsTakenAwayIsBlamedOnTheTurnThatUsesIt() throws Exception {
        try (EpollRunner runner = new EpollRunner("test", 0);
                Fd file = Memfd.create("runner-test", 1 << 16);
                Fd other = Memfd.create("runner-test-healthy", 1 << 16);
                Mapping taken = Mapping.of(file, 0, 1 << 16, true);
                Mapping kept = Mapping.of(other, 0, 1 << 16, true)) {
            Toucher victim = new Toucher(taken.memory());
            Toucher neighbour = new Toucher(kept.memory());
            on(runner, () -> runner.attach(victim));
            on(runner, () -> runner.attach(neighbour));
            Await.until("compiled", () -> victim.turns > 2_000_000);
            OpenFile.truncate(file, 0);
            Await.until("told", () -> victim.failure != null);
            long then = neighbour.turns;
            Await.until("the neighbour goes on", () -> neighbour.turns > then + 100_000);
            assertThat(victim.failure).isInstanceOf(InternalError.class);
            assertThat(neighbour.failure).isNull();
        }
    }

    @Test
    void aDescriptorThatCannotBeWatchedIsAnErrorOfTheOneWhoAsked(@TempDir Path directory)
            throws Exception {
        try (EpollRunner runner = new EpollRunner("test", 0);
                Fd regular =
                        OpenFile.open(
                                directory.resolve("file"),
                                OpenFile.O_RDWR | OpenFile.O_CREAT,
                                0600)) {
            CompletableFuture<Throwable> refused = new CompletableFuture<>();
            runner.execute(() -> {
                try {
                    runner.watch(regular.number());
                    refused.complete(null);
                } catch (UncheckedIOException e) {
                    refused.complete(e);
                }
            });
            assertThat(refused.get(5, TimeUnit.SECONDS))
                    .hasMessageContaining("cannot wake test")
                    .cause()
                    .hasMessageContaining("EPERM");
            on(runner, () -> runner.unwatch(regular.number()));
        }
    }

    @Test
    void runsTheCommandsThatItHasBeforeItCloses() throws Exception {
        List<Integer> ran = new ArrayList<>();
        EpollRunner runner = new EpollRunner("test", EpollRunner.ALWAYS_POLL);
        on(runner, () -> runner.attach(new Busy()));
        for (int i = 0; i < 100; i++) {
            int number = i;
            runner.execute(() -> ran.add(number));
        }
        runner.close();
        assertThat(ran).hasSize(100);
        assertThatThrownBy(() -> runner.execute(() -> {})).hasMessage("test is closed");
    }

    @Test
    void onlyItsThreadAttaches() throws Exception {
        try (EpollRunner runner = new EpollRunner("test", 0)) {
            assertThatThrownBy(() -> runner.attach(new Busy()))
                    .hasMessage("only on the thread of test");
        }
    }

    @Test
    void aCommandThatFailsHarmsNobody() throws Exception {
        try (EpollRunner runner = new EpollRunner("test", 0)) {
            runner.execute(() -> {
                throw new IllegalStateException("on purpose");
            });
            on(runner, () -> {});
        }
    }

    @Test
    void allocatesNothingWhileItSleepsAndWakes() throws Exception {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (EpollRunner runner = new EpollRunner("test", 0);
                EventFd notification = new EventFd()) {
            Consumer turn = new Consumer();
            CompletableFuture<Long> id = new CompletableFuture<>();
            runner.execute(() -> id.complete(Thread.currentThread().threadId()));
            on(runner, () -> runner.attach(turn));
            on(runner, () -> runner.watch(notification.fd().number()));
            long count = 0;
            long allocated = -1;
            // Compiling may allocate: three quiet rounds at most are needed to be past it.
            for (int round = 0; round < 4 && allocated != 0; round++) {
                long start = threads.getThreadAllocatedBytes(id.get());
                for (int i = 0; i < 20_000; i++) {
                    turn.produced = ++count;
                    notification.signal();
                    turn.awaitConsumed(count);
                }
                allocated = threads.getThreadAllocatedBytes(id.get()) - start;
            }
            assertThat(allocated).isZero();
            on(runner, () -> runner.unwatch(notification.fd().number()));
        }
    }

    @Test
    void aPoolHasTheRunnersAskedFor() throws IOException {
        try (RunnerPool pool = new RunnerPool("disk0", 3, 0)) {
            assertThat(pool.runners())
                    .hasToString("[disk0 runner 0, disk0 runner 1, disk0 runner 2]");
        }
    }

    private static void on(EpollRunner runner, Runnable command) throws Exception {
        CompletableFuture<Void> done = new CompletableFuture<>();
        runner.execute(() -> {
            command.run();
            done.complete(null);
        });
        done.get(20, TimeUnit.SECONDS);
    }

    /** Behaves as a queue does: asks for notifications, then looks again. */
    private static class Consumer implements Runner.Turn {
        volatile long produced;
        volatile long handedOver;
        volatile boolean notificationsWanted;
        volatile long consumed;
        volatile Throwable failure;

        @Override
        public int run() {
            notificationsWanted = false;
            long there = Math.max(produced, handedOver);
            int work = (int) (there - consumed);
            consumed = there;
            return work;
        }

        @Override
        public boolean maySleep() {
            notificationsWanted = true;
            return produced <= consumed; // what is handed over comes with a wake-up
        }

        @Override
        public void failed(Throwable error) {
            failure = error;
        }

        void awaitConsumed(long count) {
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
            while (consumed < count) {
                if (System.nanoTime() > deadline) {
                    throw new AssertionError("a wake-up was lost at " + count);
                }
                Thread.onSpinWait();
            }
        }
    }

    private static final class Busy implements Runner.Turn {
        @Override
        public int run() {
            return 128;
        }

        @Override
        public boolean maySleep() {
            return false;
        }

        @Override
        public void failed(Throwable error) {}
    }

    private static final class Failing implements Runner.Turn {
        private final boolean twice;
        volatile int failures;

        Failing(boolean twice) {
            this.twice = twice;
        }

        @Override
        public int run() {
            throw new IllegalArgumentException("on purpose");
        }

        @Override
        public boolean maySleep() {
            return true;
        }

        @Override
        public void failed(Throwable error) {
            failures++;
            if (twice) {
                throw new IllegalStateException("on purpose, again");
            }
        }
    }

    private static final class Toucher implements Runner.Turn {
        private final MemorySegment memory;
        volatile long turns;
        volatile Throwable failure;

        Toucher(MemorySegment memory) {
            this.memory = memory;
        }

        @Override
        public int run() {
            if (failure != null) {
                return 0;
            }
            long at = (turns * 8) & 0xfff8;
            memory.set(ValueLayout.JAVA_LONG, at, memory.get(ValueLayout.JAVA_LONG, at) + 1);
            turns++;
            return 1;
        }

        @Override
        public boolean maySleep() {
            return true;
        }

        @Override
        public void failed(Throwable error) {
            failure = error;
        }
    }
}
