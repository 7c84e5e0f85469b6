package org.anyvirt.transports.vhostuser;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.Poll;
import org.anyvirt.linux.UnixListener;
import org.anyvirt.linux.UnixSocket;

/**
 * Where frontends come from, one after the other.
 *
 * <p>Control plane, one thread but for {@link #stop}.
 */
abstract sealed class FrontendSource implements AutoCloseable {
    private static final Logger LOG = System.getLogger(FrontendSource.class.getName());

    private static final int RETRY_MILLIS = 1000;

    final WakeUp stopped = new WakeUp();

    private FrontendSource() throws IOException {}

    static FrontendSource open(String name, Endpoint endpoint) throws IOException {
        return switch (endpoint) {
            case Endpoint.Listen(Path path, int mode) ->
                    new Listening(UnixListener.bind(path, mode));
            case Endpoint.Connect(Path path) -> new Connecting(name, path);
            case Endpoint.Inherited(int descriptor) -> inherited(new Fd(descriptor));
        };
    }

    private static FrontendSource inherited(Fd fd) throws IOException {
        try {
            return UnixListener.isListening(fd)
                    ? new Listening(new UnixListener(fd))
                    : new Single(new UnixSocket(fd));
        } catch (IOException e) {
            fd.close();
            throw e;
        }
    }

    /**
     * Waits for the next frontend.
     *
     * @return its socket, which is the caller's; null when none will come
     */
    abstract UnixSocket next() throws IOException;

    /** No more frontends: {@link #next} returns null; from any thread. */
    void stop() {
        stopped.signal();
    }

    @Override
    public void close() {
        stopped.close();
    }

    private static final class Listening extends FrontendSource {
        private final UnixListener listener;

        Listening(UnixListener listener) throws IOException {
            this.listener = listener;
        }

        @Override
        UnixSocket next() throws IOException {
            while (Poll.await(-1, stopped.number(), listener.fd().number()) != 0) {
                try {
                    return listener.accept();
                } catch (IOException e) {
                    // As when this process has no descriptors left: it may have some later.
                    LOG.log(Level.WARNING, "a frontend was not accepted: {0}", e.getMessage());
                    if (Poll.await(RETRY_MILLIS, stopped.number()) == 0) {
                        break;
                    }
                }
            }
            return null;
        }

        @Override
        public void close() {
            listener.close();
            super.close();
        }
    }

    private static final class Connecting extends FrontendSource {
        private final String name;
        private final Path path;

        Connecting(String name, Path path) throws IOException {
            this.name = name;
            this.path = path;
        }

        @Override
        UnixSocket next() throws IOException {
            boolean said = false;
            int waitMillis = 0;
            while (Poll.await(waitMillis, stopped.number()) < 0) {
                waitMillis = RETRY_MILLIS;
                try {
                    return UnixSocket.connect(path);
                } catch (IOException e) {
                    if (!said) {
                        LOG.log(
                                Level.INFO,
                                "{0}: no frontend yet, trying each second: {1}",
                                name,
                                e.getMessage());
                        said = true;
                    }
                }
            }
            return null;
        }
    }

    private static final class Single extends FrontendSource {
        private UnixSocket socket;

        Single(UnixSocket socket) throws IOException {
            this.socket = socket;
        }

        @Override
        UnixSocket next() {
            UnixSocket only = socket;
            socket = null;
            return only;
        }

        @Override
        public void close() {
            if (socket != null) {
                socket.close();
            }
            super.close();
        }
    }
}
