package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** EventFd, Epoll and Poll. */
class EventTest {
    @Test
    void drainReturnsTheSignalsSinceTheLastOne() throws Exception {
        try (EventFd event = new EventFd()) {
            assertThat(event.drain()).isZero();
            event.signal();
            event.signal();
            EventFd.signal(event.fd().number());
            assertThat(event.drain()).isEqualTo(3);
            assertThat(event.drain()).isZero();
        }
    }

    @Test
    void signallingAFullCounterIsNoError() throws Exception {
        try (EventFd event = new EventFd()) {
            try (Arena arena = Arena.ofConfined()) {
                // As a hostile peer may: the largest count, whose sign bit is no error number.
                MemorySegment most = arena.allocateFrom(JAVA_LONG, -2L);
                assertThat(Libc.write(event.fd().number(), most.address(), 8)).isEqualTo(8);
            }
            event.signal();
            assertThat(event.drain()).isEqualTo(Long.MAX_VALUE);
            assertThat(event.drain()).isZero();
        }
    }

    @Test
    void signallingWhatIsNoEventfdThrows() throws Exception {
        EventFd event = new EventFd();
        int number = event.fd().number();
        event.close();
        assertThatThrownBy(() -> EventFd.signal(number))
                .isInstanceOf(ErrnoException.class)
                .hasMessageStartingWith("write: EBADF")
                .hasMessageEndingWith("eventfd " + number);
        assertThatThrownBy(() -> EventFd.drain(number)).isInstanceOf(ErrnoException.class);
    }

    @Test
    void tellsAnEventfdFromOtherDescriptors() throws Exception {
        try (EventFd event = new EventFd();
                Epoll epoll = new Epoll();
                Fd memory = Memfd.create("no event", 4096)) {
            assertThat(EventFd.isEventFd(event.fd())).isTrue();
            assertThat(EventFd.isEventFd(epoll.fd())).isFalse();
            assertThat(EventFd.isEventFd(memory)).isFalse();
        }
    }

    @Test
    void edgeTriggeredReportsEachSignalOnce() throws Exception {
        try (Epoll epoll = new Epoll();
                EventFd event = new EventFd()) {
            epoll.add(event.fd().number(), Epoll.EPOLLIN | Epoll.EPOLLET, 0x1_2345_6789_abcdL);
            assertThat(epoll.await(0)).isZero();
            event.signal();
            assertThat(epoll.await(-1)).isEqualTo(1);
            assertThat(epoll.data(0)).isEqualTo(0x1_2345_6789_abcdL);
            assertThat(epoll.events(0)).isEqualTo(Epoll.EPOLLIN);
            assertThat(epoll.await(0)).isZero(); // not drained, and yet quiet
            event.signal();
            assertThat(epoll.await(0)).isEqualTo(1);
        }
    }

    @Test
    void levelTriggeredReportsUntilDrained() throws Exception {
        try (Epoll epoll = new Epoll();
                EventFd event = new EventFd()) {
            epoll.add(event.fd().number(), Epoll.EPOLLIN, 7);
            event.signal();
            assertThat(epoll.await(0)).isEqualTo(1);
            assertThat(epoll.await(0)).isEqualTo(1);
            event.drain();
            assertThat(epoll.await(0)).isZero();
        }
    }

    @Test
    void everyReadyEventCarriesItsOwnData() throws Exception {
        // Eight events next to each other: a wrong stride or offset of epoll_event mixes them up.
        try (Epoll epoll = new Epoll()) {
            EventFd[] events = new EventFd[8];
            long expected = 0;
            for (int i = 0; i < events.length; i++) {
                events[i] = new EventFd();
                events[i].signal();
                epoll.add(events[i].fd().number(), Epoll.EPOLLIN, -1L << (8 * i));
                expected ^= -1L << (8 * i);
            }
            assertThat(epoll.await(0)).isEqualTo(events.length);
            long seen = 0;
            for (int i = 0; i < events.length; i++) {
                assertThat(epoll.events(i)).isEqualTo(Epoll.EPOLLIN);
                seen ^= epoll.data(i);
                events[i].close();
            }
            assertThat(seen).isEqualTo(expected);
            assertThat(epoll.await(0)).isZero();
        }
    }

    @Test
    void modifiedAndRemovedDescriptorsReportAccordingly() throws Exception {
        UnixSocket[] pair = UnixSocket.pair();
        try (Epoll epoll = new Epoll();
                UnixSocket one = pair[0];
                UnixSocket two = pair[1]) {
            int fd = one.fd().number();
            epoll.add(fd, Epoll.EPOLLIN, 1);
            assertThat(epoll.await(0)).isZero();
            epoll.modify(fd, Epoll.EPOLLIN | Epoll.EPOLLOUT, 2);
            assertThat(epoll.await(0)).isEqualTo(1);
            assertThat(epoll.data(0)).isEqualTo(2);
            assertThat(epoll.events(0)).isEqualTo(Epoll.EPOLLOUT);
            two.fd().close();
            assertThat(epoll.await(0)).isEqualTo(1);
            assertThat(epoll.events(0) & Epoll.EPOLLHUP).isNotZero();
            epoll.remove(fd);
            assertThat(epoll.await(0)).isZero();
            assertThatThrownBy(() -> epoll.remove(fd))
                    .isInstanceOf(ErrnoException.class)
                    .hasMessageStartingWith("epoll_ctl(EPOLL_CTL_DEL): ENOENT")
                    .hasMessageContaining("fd " + fd);
            assertThatThrownBy(() -> epoll.data(0)).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    void awaitEndsWithItsTimeOrWithASignalFromAnotherThread() throws Exception {
        try (Epoll epoll = new Epoll();
                EventFd event = new EventFd()) {
            epoll.add(event.fd().number(), Epoll.EPOLLIN, 0);
            long start = System.nanoTime();
            assertThat(epoll.await(20)).isZero();
            assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(20_000_000);
            Thread signaller = Thread.ofPlatform().start(() -> signal(event));
            assertThat(epoll.await(-1)).isEqualTo(1);
            signaller.join();
        }
    }

    @Test
    void pollReturnsTheFirstReadableDescriptor() throws Exception {
        UnixSocket[] pair = UnixSocket.pair();
        try (EventFd one = new EventFd();
                EventFd two = new EventFd();
                UnixSocket left = pair[0]) {
            int[] fds = {one.fd().number(), two.fd().number(), left.fd().number()};
            assertThat(Poll.await(0, fds)).isEqualTo(-1);
            long start = System.nanoTime();
            assertThat(Poll.await(20, fds)).isEqualTo(-1);
            assertThat(System.nanoTime() - start).isGreaterThan(TimeUnit.MILLISECONDS.toNanos(19));
            pair[1].close();
            assertThat(Poll.await(-1, fds)).isEqualTo(2); // hung up
            two.signal();
            assertThat(Poll.await(-1, fds)).isEqualTo(1);
            one.signal();
            assertThat(Poll.await(-1, fds)).isZero();
        }
    }

    @Test
    void pollRefusesAClosedDescriptor() throws Exception {
        EventFd event = new EventFd();
        int number = event.fd().number();
        event.close();
        assertThatThrownBy(() -> Poll.await(0, number))
                .isInstanceOf(ErrnoException.class)
                .hasMessageStartingWith("poll: EBADF")
                .hasMessageEndingWith("fd " + number);
    }

    private static void signal(EventFd event) {
        try {
            event.signal();
        } catch (ErrnoException failed) {
            throw new AssertionError(failed);
        }
    }
}
