package org.anyvirt.daemon.serving;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;

/**
 * One device that is being served: with what it stands on, where it meets its driver, and the
 * threads that serve it. It serves from when it is made until it is closed.
 */
public interface ServedDevice extends AutoCloseable {
    DeviceStatus status();

    /**
     * Changes the capacity, also while requests are in flight; the driver is told.
     *
     * @param capacity in bytes
     */
    void resize(long capacity) throws IOException, RefusedException;

    /** Completes when no driver can come any more: closed, or its only connection has ended. */
    CompletableFuture<Void> finished();

    /**
     * Takes no more requests, finishes those in flight, makes what was written durable, and leaves
     * nothing behind: no socket, no lock, no thread.
     */
    @Override
    void close() throws IOException;
}
