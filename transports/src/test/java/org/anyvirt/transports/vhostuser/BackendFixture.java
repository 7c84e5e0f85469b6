package org.anyvirt.transports.vhostuser;

import java.io.IOException;
import java.nio.file.Path;
import org.anyvirt.transports.Await;
import org.anyvirt.transports.ProcessResources;
import org.anyvirt.transports.vhostuser.message.ProtocolFeature;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A backend on a socket, and the check that it gave everything back. */
@Timeout(60)
abstract class BackendFixture {
    static final long REPLY_ACK =
            ProtocolFeature.setOf(ProtocolFeature.VHOST_USER_PROTOCOL_F_REPLY_ACK);
    static final long ALL = VhostDevice.PROTOCOL_FEATURES;

    /** All that this backend has but STATUS, without which a queue waits for nobody's DRIVER_OK. */
    static final long NO_STATUS =
            ALL & ~ProtocolFeature.setOf(ProtocolFeature.VHOST_USER_PROTOCOL_F_STATUS);

    final TestDevice device = new TestDevice();

    @TempDir Path directory;
    Path path;
    VhostUserBackend backend;
    private ProcessResources before;

    @BeforeEach
    void start() throws IOException {
        before = ProcessResources.now();
        path = directory.resolve("test.sock");
        backend =
                new VhostUserBackend(
                        "test", device, new Endpoint.Listen(path, 0600), new BackendOptions(2, 0));
        backend.start();
    }

    @AfterEach
    void gaveEverythingBack() {
        device.hold = false;
        backend.close();
        before.assertBack();
    }

    TestFrontend connect() throws IOException {
        return TestFrontend.connect(path);
    }

    /** A frontend that has negotiated everything but STATUS. */
    TestFrontend negotiated() throws Exception {
        return connect().negotiate(NO_STATUS);
    }

    void awaitState(BackendState state) {
        Await.until(state.toString(), () -> backend.state() == state);
    }
}
