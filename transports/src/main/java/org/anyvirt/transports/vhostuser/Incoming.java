package org.anyvirt.transports.vhostuser;

import java.nio.ByteBuffer;
import java.util.List;
import org.anyvirt.linux.Fd;
import org.anyvirt.transports.vhostuser.message.Header;

/**
 * A message as it came. It owns the file descriptors that came along until they are taken.
 *
 * @param payload valid until the next message comes
 */
record Incoming(Header header, ByteBuffer payload, List<Fd> descriptors) implements AutoCloseable {
    int descriptorCount() {
        return descriptors.size();
    }

    /** The next descriptor, which is the caller's now. */
    Fd takeDescriptor() {
        return descriptors.removeFirst();
    }

    /** Closes the descriptors that nobody took. */
    @Override
    public void close() {
        descriptors.forEach(Fd::close);
        descriptors.clear();
    }
}
