package org.anyvirt.transports.vhostuser;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import org.anyvirt.linux.EventFd;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.OpenFile;
import org.anyvirt.transports.vhostuser.message.Payload.VringAddress;
import org.anyvirt.virtio.device.QueueSignals;
import org.anyvirt.virtio.device.QueueStart;
import org.anyvirt.virtio.device.Runner;
import org.anyvirt.virtio.queue.QueuePosition;

/**
 * A ring in the states of the vhost-user specification: started or stopped, enabled or disabled.
 *
 * <p>{@code SET_VRING_KICK} starts it and {@code GET_VRING_BASE} stops it; {@code SET_VRING_ENABLE}
 * enables and disables it. The queue is served while it is both started and enabled, and its size,
 * addresses and base are known, in whatever order they came. A ring that is started and disabled is
 * not looked at: a block or console request has no meaning without its side effects, so requests
 * wait in the ring.
 *
 * <p>Control plane, except for {@link QueueSignals}, which the queue's runner calls. A descriptor
 * that the runner uses is closed after the runner has let go of it.
 */
final class Vring implements QueueSignals, AutoCloseable {
    private static final Logger LOG = System.getLogger(Vring.class.getName());
    private static final int NONE = -1;

    private final int index;
    private final VhostDevice device;
    private final Runner runner;
    private final Runner.Turn polling = new NoSleep();

    private boolean enabled;
    private boolean started;
    private boolean polled;
    private int size;
    private VringAddress address;
    private boolean baseKnown;
    private int base;
    private Fd kick;
    private Fd call;
    private Fd error;
    private Fd replaced;

    // Read by the runner.
    private volatile int callNumber = NONE;
    private volatile int errorNumber = NONE;

    Vring(int index, VhostDevice device, Runner runner) {
        this.index = index;
        this.device = device;
        this.runner = runner;
    }

    /** {@code SET_VRING_NUM}. */
    void size(int next) throws RefusedException {
        if (next < 1 || next > device.sizeMax(index)) {
            throw new RefusedException(
                    "vring %d: a size of %s, of at most %d"
                            .formatted(
                                    index, Integer.toUnsignedString(next), device.sizeMax(index)));
        }
        if (!device.packed() && Integer.bitCount(next) != 1) {
            throw new RefusedException(
                    "vring %d: a size of %d, which is not a power of two".formatted(index, next));
        }
        if (next != size) {
            refuseWhileServed("its size cannot change");
        }
        size = next;
        update();
    }

    /** {@code SET_VRING_ADDR}; comes again on a ring in service when only its flags change. */
    void address(VringAddress next) throws RefusedException {
        boolean same =
                address != null
                        && next.descriptor() == address.descriptor()
                        && next.available() == address.available()
                        && next.used() == address.used();
        if (!same) {
            refuseWhileServed("its addresses cannot change");
            device.checkAddresses(index, next);
        }
        address = next;
        update();
    }

    /** {@code SET_VRING_BASE}. */
    void base(int next) throws RefusedException {
        refuseWhileServed("its base cannot change");
        base = next;
        baseKnown = true;
        update();
    }

    /**
     * {@code SET_VRING_KICK}: starts the ring.
     *
     * @param next null for a ring that is to be polled; the ring's from now on, also when refused
     */
    void kick(Fd next) throws RefusedException {
        Fd last = kick;
        kick = next;
        started = true;
        try {
            if (isServed()) {
                device.await(device.model().notificationFd(index, numberOf(next)));
                poll(next == null);
            }
            update();
        } catch (RefusedException e) {
            started = false; // nothing would wake it
            update();
            throw e;
        } finally {
            close(last);
        }
    }

    /** {@code SET_VRING_CALL}; null for a driver that polls. */
    void call(Fd next) throws RefusedException {
        Fd last = call;
        call = next;
        callNumber = numberOf(next);
        letGo(last);
    }

    /** {@code SET_VRING_ERR}; null for none. */
    void error(Fd next) throws RefusedException {
        Fd last = error;
        error = next;
        errorNumber = numberOf(next);
        letGo(last);
    }

    /** {@code SET_VRING_ENABLE}. */
    void enable(boolean next) throws RefusedException {
        enabled = next;
        update();
    }

    /**
     * {@code GET_VRING_BASE}: stops the ring when nothing is in flight any more.
     *
     * @return where to go on, as {@link #base(int)} takes it
     */
    int stop() throws RefusedException {
        started = false;
        update();
        close(kick);
        kick = null;
        return base;
    }

    /** Stopped, disabled, and nothing known but where to signal. */
    void reset() throws RefusedException {
        enabled = false;
        stop();
        size = 0;
        address = null;
        base = 0;
        baseKnown = false;
    }

    /** Serves the queue, or serves it no more, as the states say. */
    void update() throws RefusedException {
        boolean wanted =
                started && enabled && size > 0 && address != null && baseKnown && device.isLive();
        if (wanted && !isServed()) {
            serve();
        } else if (!wanted && isServed()) {
            halt();
        }
    }

    private boolean isServed() {
        return device.model().isStarted(index);
    }

    private void serve() throws RefusedException {
        QueueStart start = device.queueStart(index, size, address, base, numberOf(kick), this);
        try {
            device.start(index, start);
            poll(kick == null);
        } catch (RefusedException e) {
            if (isServed()) {
                halt();
            }
            throw e;
        }
    }

    private void halt() throws RefusedException {
        poll(false);
        QueuePosition position = device.await(device.model().stopQueue(index));
        base = device.base(position);
    }

    /** Without a kick descriptor nothing wakes the runner: it is kept from sleeping. */
    private void poll(boolean next) throws RefusedException {
        if (next != polled) {
            polled = next;
            device.await(
                    device.model()
                            .onRunner(
                                    index,
                                    next
                                            ? () -> runner.attach(polling)
                                            : () -> runner.detach(polling)));
        }
    }

    private void refuseWhileServed(String what) throws RefusedException {
        if (isServed()) {
            throw new RefusedException("vring %d is started: %s".formatted(index, what));
        }
    }

    /**
     * Frees a runner that waits in a write to an eventfd, which only a hostile frontend brings
     * about: it fills the counter, and takes O_NONBLOCK back. A notification in the counter stays.
     */
    void unblock() {
        unblock(call);
        unblock(error);
        unblock(replaced);
    }

    private static void unblock(Fd fd) {
        if (fd != null) {
            try {
                OpenFile.setNonBlocking(fd);
                if (EventFd.drain(fd.number()) > 0) {
                    EventFd.signal(fd.number());
                }
            } catch (IOException e) {
                throw new AssertionError("an eventfd", e);
            }
        }
    }

    /** Closes what the runner may be using, once it does not. */
    private void letGo(Fd last) throws RefusedException {
        if (last != null) {
            replaced = last;
            try {
                device.await(device.model().onRunner(index, () -> {}));
            } finally {
                replaced = null;
                last.close();
            }
        }
    }

    @Override
    public void usedBuffers() {
        signal(callNumber);
    }

    @Override
    public void broken(String reason) {
        // Whoever hears of the error and asks for the status finds it there.
        device.needsReset();
        signal(errorNumber);
    }

    private void signal(int number) {
        if (number != NONE) {
            try {
                EventFd.signal(number);
            } catch (IOException e) {
                // It was an eventfd when it came, and we have it: nothing else can be written to.
                throw new AssertionError("vring " + index, e);
            }
        }
    }

    /** The ring is stopped, and its runner has let go of everything. */
    @Override
    public void close() {
        callNumber = NONE;
        errorNumber = NONE;
        close(kick);
        close(call);
        close(error);
    }

    private static int numberOf(Fd fd) {
        return fd == null ? NONE : fd.number();
    }

    private static void close(Fd fd) {
        if (fd != null) {
            fd.close();
        }
    }

    /** Idle, and awake. */
    private static final class NoSleep implements Runner.Turn {
        @Override
        public int run() {
            return 0;
        }

        @Override
        public boolean maySleep() {
            return false;
        }

        @Override
        public void failed(Throwable error) {
            LOG.log(Level.ERROR, "nothing to fail", error);
        }
    }
}
