package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_S_OK;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.anyvirt.driver.vhostuser.BackendException;
import org.anyvirt.driver.vhostuser.VhostUserFrontend;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.anyvirt.linux.EventFd;
import org.anyvirt.linux.Fd;
import org.anyvirt.transports.vhostuser.message.FrontendRequest;
import org.anyvirt.transports.vhostuser.message.VringDescriptor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Notification descriptors that are not what they should be, or are so at first only. */
@Timeout(120)
class HostileDescriptorsTest {
    @RegisterExtension static final ServedDisks DISKS = new ServedDisks("descriptors", "disk");

    private static final long COUNTER_MAX = -2;

    private static void isServed(HostileSession session) throws IOException {
        assertThat(session.run(session.readHeader(), session.in(512), session.status()))
                .isEqualTo(VIRTIO_BLK_S_OK);
    }

    @ParameterizedTest
    @EnumSource(
            value = FrontendRequest.class,
            names = {"SET_VRING_KICK", "SET_VRING_CALL", "SET_VRING_ERR"})
    void takesNoOtherThanEventfds(FrontendRequest request) throws IOException {
        try (OddDescriptors odd = new OddDescriptors();
                HostileSession session = HostileSession.open(DISKS, "disk", Kind.SPLIT)) {
            VhostUserFrontend frontend = session.device().frontend();
            for (String name : odd.names()) {
                boolean taken = true;
                try {
                    frontend.request(
                            request, new VringDescriptor(0, true).payload(), odd.get(name));
                } catch (BackendException refused) {
                    taken = false;
                }
                assertThat(taken).as(name).isEqualTo(name.endsWith("eventfd"));
            }
            frontend.setVringKick(0, session.queue().vring().kick().fd());
            isServed(session);
        }
    }

    /** Nobody reads the counter: that is no reason to wait. */
    @Test
    void goesOnWhenTheCallDescriptorIsFull() throws IOException {
        try (HostileSession session = HostileSession.open(DISKS, "disk", Kind.SPLIT);
                EventFd full = new EventFd()) {
            RawCalls.write(full.fd(), COUNTER_MAX, Long.BYTES);
            session.device().frontend().setVringCall(0, full.fd());
            isServed(session);
            isServed(session);
        }
    }

    /**
     * A file passed to another process is one file: the frontend makes it wait for its writers
     * after the daemon has made it not wait.
     */
    @Test
    void isNotHeldUpForGoodByACallDescriptorThatBlocks() throws IOException {
        try (HostileSession session = HostileSession.open(DISKS, "disk", Kind.SPLIT);
                EventFd full = new EventFd()) {
            RawCalls.write(full.fd(), COUNTER_MAX, Long.BYTES);
            session.device().frontend().setVringCall(0, full.fd());
            RawCalls.setBlocking(full.fd());
            session.offer(session.readHeader(), session.in(512), session.status());
            session.queue().awaitUsed(1);
            session.device().frontend().channel().close();
            // The daemon has to get rid of the session by itself.
            HonestSession.check(DISKS.socket("disk"));
        }
    }

    @Test
    void isNotHeldUpForGoodByAnErrorDescriptorThatBlocks() throws IOException {
        try (HostileSession session = HostileSession.open(DISKS, "disk", Kind.SPLIT);
                EventFd full = new EventFd()) {
            Fd err = full.fd();
            RawCalls.write(err, COUNTER_MAX, Long.BYTES);
            session.device().frontend().setVringErr(0, err);
            RawCalls.setBlocking(err);
            session.offer(session.in(512));
            DISKS.awaitLogged("disk queue 0: ", "broken until reset");
            session.device().frontend().channel().close();
            HonestSession.check(DISKS.socket("disk"));
        }
    }
}
