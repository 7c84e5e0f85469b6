package org.anyvirt.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class FdTest {
    @Test
    void closingTwiceClosesOnce() throws Exception {
        Fd fd = Memfd.create("closed-twice", 1);
        fd.close();
        fd.close();
        assertThat(fd.isOpen()).isFalse();
        assertThat(fd).hasToString("fd closed");
        assertThat(OpenDescriptors.to("memfd:closed-twice")).isZero();
    }

    @Test
    void closingFromManyThreadsClosesOnce() throws Exception {
        // A second close(2) of the number would hit a stranger, or throw AssertionError.
        for (int round = 0; round < 200; round++) {
            Fd fd = Memfd.create("raced", 1);
            CountDownLatch start = new CountDownLatch(1);
            List<Throwable> thrown = new ArrayList<>();
            List<Thread> closers = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                closers.add(
                        Thread.ofVirtual()
                                .uncaughtExceptionHandler((thread, error) -> thrown.add(error))
                                .start(() -> {
                                    awaitUnchecked(start);
                                    fd.close();
                                }));
            }
            start.countDown();
            for (Thread closer : closers) {
                closer.join();
            }
            assertThat(thrown).isEmpty();
        }
        assertThat(OpenDescriptors.to("memfd:raced")).isZero();
    }

    @Test
    void aClosedDescriptorHasNoNumber() throws Exception {
        Fd fd = Memfd.create("gone", 1);
        fd.close();
        assertThatThrownBy(fd::number).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(fd::release).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aReleasedDescriptorStaysOpen() throws Exception {
        Fd fd = Memfd.create("released", 1);
        int number = fd.release();
        fd.close();
        assertThat(OpenDescriptors.to("memfd:released")).isEqualTo(1);
        try (Fd owner = new Fd(number)) {
            assertThat(OpenFile.stat(owner).size()).isEqualTo(1);
        }
    }

    @Test
    void aDuplicateOutlivesTheOriginal() throws Exception {
        Fd fd = Memfd.create("duplicated", 5);
        try (Fd duplicate = fd.duplicate()) {
            assertThat(duplicate.number()).isNotEqualTo(fd.number());
            fd.close();
            assertThat(OpenFile.stat(duplicate).size()).isEqualTo(5);
        }
    }

    @Test
    void aDescriptorClosedByAStrangerIsOurFault() throws Exception {
        Fd owner = Memfd.create("stolen", 1);
        new Fd(owner.number()).close();
        assertThatThrownBy(owner::close).isInstanceOf(AssertionError.class);
    }

    @Test
    void rejectsNegativeNumbers() {
        assertThatThrownBy(() -> new Fd(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    private static void awaitUnchecked(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
        }
    }
}
