package org.anyvirt.driver.vhostuser;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.anyvirt.driver.queue.QueueNotifications;
import org.anyvirt.linux.Epoll;
import org.anyvirt.linux.EventFd;

/**
 * The eventfds of a started vring: kick tells the backend, call and err come from it. Data plane,
 * the queue's thread; no allocation.
 */
public final class Vring implements QueueNotifications, AutoCloseable {
    private static final int CALL = 0;
    private static final int ERR = 1;
    private static final int BACKEND = 2;

    private final EventFd kick;
    private final EventFd call;
    private final EventFd err;
    private final Epoll epoll;
    private final int kickNumber;
    private final int callNumber;

    /**
     * @param backend the protocol's socket: that it hangs up wakes a sleeper too
     */
    Vring(int backend) throws IOException {
        this.kick = new EventFd();
        this.call = new EventFd();
        this.err = new EventFd();
        this.epoll = new Epoll();
        this.kickNumber = kick.fd().number();
        this.callNumber = call.fd().number();
        epoll.add(callNumber, Epoll.EPOLLIN, CALL);
        epoll.add(err.fd().number(), Epoll.EPOLLIN, ERR);
        epoll.add(backend, Epoll.EPOLLRDHUP, BACKEND);
    }

    public EventFd kick() {
        return kick;
    }

    public EventFd call() {
        return call;
    }

    public EventFd err() {
        return err;
    }

    @Override
    public void sendAvailable() {
        try {
            EventFd.signal(kickNumber);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public boolean awaitUsed(int timeoutMillis) {
        try {
            int ready = epoll.await(timeoutMillis);
            boolean called = false;
            for (int i = 0; i < ready; i++) {
                if (epoll.data(i) == CALL) {
                    EventFd.drain(callNumber);
                    called = true;
                }
            }
            if (ready > 0 && !called) {
                throw new BackendException(
                        epoll.data(0) == ERR
                                ? "the backend signals an error of the queue"
                                : "the backend has gone");
            }
            return called;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        epoll.close();
        kick.close();
        call.close();
        err.close();
    }
}
