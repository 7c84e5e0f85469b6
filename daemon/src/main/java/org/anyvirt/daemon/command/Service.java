package org.anyvirt.daemon.command;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.anyvirt.daemon.Failures;
import org.anyvirt.daemon.configuration.ControlSocket;
import org.anyvirt.daemon.control.ControlResponder;
import org.anyvirt.daemon.control.ControlServer;
import org.anyvirt.daemon.serving.Daemon;

/** A daemon from its start to its end: with its control socket, and the signals that end it. */
final class Service {
    private static final Logger LOG = System.getLogger(Service.class.getName());

    /** For requests in flight, and for stores to make what was written durable. */
    static final long DRAIN_MILLIS = 30_000;

    /** What a signal waits for beyond {@link #DRAIN_MILLIS}. */
    private static final long MARGIN_MILLIS = 1_000;

    /** Adds the devices to serve. */
    @FunctionalInterface
    interface Devices {
        void addTo(Daemon daemon) throws Exception;
    }

    private Service() {}

    /**
     * Serves until a signal, the control socket or the devices' end asks for the end.
     *
     * @return the exit code
     */
    static int run(Daemon daemon, ControlSocket control, Devices devices) throws Exception {
        Ending ending = Ending.onSignal(daemon);
        int code = ExitCode.FAILURE;
        try {
            serve(daemon, control, devices);
            code = ExitCode.OK;
            return code;
        } finally {
            ending.ended(code);
        }
    }

    private static void serve(Daemon daemon, ControlSocket control, Devices devices)
            throws Exception {
        try {
            devices.addTo(daemon);
            // Last, so that whoever is answered finds all devices there.
            try (ControlServer server = listen(control, daemon)) {
                LOG.log(Level.INFO, server == null ? "ready" : "ready, control: " + server.path());
                daemon.awaitShutdown();
                daemon.close(DRAIN_MILLIS);
            }
            LOG.log(Level.INFO, "ended");
        } catch (TimeoutException e) {
            throw new IOException(e.getMessage(), e);
        } finally {
            daemon.close(DRAIN_MILLIS);
        }
    }

    /** Null when there is none. */
    private static ControlServer listen(ControlSocket control, Daemon daemon) throws IOException {
        if (control.path() == null) {
            return null;
        }
        try {
            return ControlServer.listen(
                    control, new ControlResponder(daemon), ControlServer.Limits.DEFAULT);
        } catch (IOException e) {
            if (control.chosen()) {
                throw e;
            }
            LOG.log(
                    Level.WARNING,
                    "no control socket: {0} (--control gives another, or none)",
                    Failures.describe(e));
            return null;
        }
    }

    /**
     * Makes SIGTERM, SIGINT and SIGHUP a request for shutdown. The JVM would end with 143 or so
     * when its shutdown hooks return; this hook ends it with the service's exit code.
     */
    private static final class Ending {
        private final CountDownLatch ended = new CountDownLatch(1);
        private final Daemon daemon;
        private final Thread hook;
        private volatile int exitCode = ExitCode.FAILURE;

        private Ending(Daemon daemon) {
            this.daemon = daemon;
            this.hook = Thread.ofPlatform().name("signal").unstarted(this::signalled);
        }

        static Ending onSignal(Daemon daemon) {
            Ending ending = new Ending(daemon);
            Runtime.getRuntime().addShutdownHook(ending.hook);
            return ending;
        }

        private void signalled() {
            LOG.log(Level.INFO, "asked to end: finishing requests, flushing stores");
            daemon.requestShutdown();
            try {
                if (!ended.await(DRAIN_MILLIS + MARGIN_MILLIS, TimeUnit.MILLISECONDS)) {
                    LOG.log(Level.ERROR, "not ended in time");
                }
            } catch (InterruptedException e) {
                LOG.log(Level.ERROR, "interrupted while ending");
            }
            Runtime.getRuntime().halt(exitCode);
        }

        void ended(int code) {
            exitCode = code;
            ended.countDown();
            try {
                Runtime.getRuntime().removeShutdownHook(hook);
            } catch (IllegalStateException e) {
                return; // a signal has come: the hook ends the process
            }
        }
    }
}
