package org.anyvirt.transports.vhostuser;

import java.io.IOException;
import org.anyvirt.linux.EventFd;

/**
 * Makes a thread that polls descriptors look up. Control plane; safe from any thread, also after it
 * was closed.
 */
final class WakeUp implements AutoCloseable {
    private final EventFd event;

    WakeUp() throws IOException {
        event = new EventFd();
    }

    /** For {@link org.anyvirt.linux.Poll}, by the thread that closes this. */
    int number() {
        return event.fd().number();
    }

    synchronized void signal() {
        if (event.fd().isOpen()) {
            try {
                event.signal();
            } catch (IOException e) {
                throw new AssertionError("an eventfd of our own", e);
            }
        }
    }

    /** Signals before this have been seen. */
    void drain() {
        try {
            event.drain();
        } catch (IOException e) {
            throw new AssertionError("an eventfd of our own", e);
        }
    }

    @Override
    public synchronized void close() {
        event.close();
    }
}
