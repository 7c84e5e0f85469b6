package org.anyvirt.e2e.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.anyvirt.driver.queue.DriverQueue;
import org.anyvirt.driver.vhostuser.VhostUserDevice;
import org.anyvirt.driver.vhostuser.Vring;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.anyvirt.linux.Poll;

/** A started queue, into whose ring anything can be written. */
final class HostileQueue {
    static final int SIZE = 16;

    private final RawRing ring;
    private final Vring vring;

    private HostileQueue(RawRing ring, Vring vring) {
        this.ring = ring;
        this.vring = vring;
    }

    static HostileQueue start(VhostUserDevice device, int index, Kind kind) throws IOException {
        DriverQueue queue = DriverQueue.create(device.memory(), SIZE, 0, device.accepted());
        Vring vring = (Vring) device.start(index, queue);
        return new HostileQueue(kind.over(queue.memory()), vring);
    }

    RawRing ring() {
        return ring;
    }

    Vring vring() {
        return vring;
    }

    /**
     * Makes a chain available and tells the device.
     *
     * @return its head, as the device calls it
     */
    int offer(Element... chain) throws IOException {
        int head = ring.add(chain);
        publish();
        return head;
    }

    /** Makes available what was added, and tells the device. */
    void publish() throws IOException {
        ring.publish();
        vring.kick().signal();
    }

    /** Waits until the device has used so many buffers since the start. */
    void awaitUsed(int count) throws IOException {
        Patience.until(() -> ring.used() >= count || isBroken());
        assertThat(isBroken()).as("the device says that the queue is broken").isFalse();
        assertThat(ring.used()).as("buffers used").isEqualTo(count);
    }

    /** Waits until the device has used so many buffers, or broken the queue; whether it has not. */
    boolean serves(int count) throws IOException {
        Patience.until(() -> ring.used() >= count || isBroken());
        return !isBroken();
    }

    /** Waits for the error descriptor. */
    boolean awaitBroken() throws IOException {
        return Poll.await(Patience.MILLIS, vring.err().fd().number()) == 0;
    }

    boolean isBroken() throws IOException {
        return Poll.await(0, vring.err().fd().number()) == 0;
    }
}
