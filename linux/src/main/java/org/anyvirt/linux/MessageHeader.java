package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code struct msghdr} with one iovec and room for control messages: what sendmsg(2) and
 * recvmsg(2) take.
 */
final class MessageHeader {
    static final int SCM_RIGHTS = 1;
    static final int MSG_CTRUNC = 0x8;

    private final MemorySegment header;
    private final MemorySegment iovec;
    private final MemorySegment control;

    static final class Msghdr {
        static final int MSG_IOV = 16;
        static final int MSG_IOVLEN = 24;
        static final int MSG_CONTROL = 32;
        static final int MSG_CONTROLLEN = 40;
        static final int MSG_FLAGS = 48;
        static final long SIZE = 56;

        private Msghdr() {}
    }

    static final class Iovec {
        static final int IOV_BASE = 0;
        static final int IOV_LEN = 8;
        static final long SIZE = 16;

        private Iovec() {}
    }

    /** Followed by its data; the next one starts at a multiple of 8. */
    static final class Cmsghdr {
        static final int CMSG_LEN = 0;
        static final int CMSG_LEVEL = 8;
        static final int CMSG_TYPE = 12;
        static final long SIZE = 16;

        private Cmsghdr() {}
    }

    private MessageHeader(Arena arena, int fds) {
        header = arena.allocate(Msghdr.SIZE, 8);
        iovec = arena.allocate(Iovec.SIZE, 8);
        // Exactly CMSG_LEN: with CMSG_SPACE the kernel would put one more descriptor into the
        // padding.
        control = arena.allocate(fds == 0 ? 0 : Cmsghdr.SIZE + (long) fds * Integer.BYTES, 8);
        header.set(JAVA_LONG, Msghdr.MSG_IOV, iovec.address());
        header.set(JAVA_LONG, Msghdr.MSG_IOVLEN, 1);
        header.set(JAVA_LONG, Msghdr.MSG_CONTROL, fds == 0 ? 0 : control.address());
        header.set(JAVA_LONG, Msghdr.MSG_CONTROLLEN, control.byteSize());
    }

    static MessageHeader sending(Arena arena, int[] fds) {
        MessageHeader message = new MessageHeader(arena, fds.length);
        if (fds.length > 0) {
            message.control.set(JAVA_LONG, Cmsghdr.CMSG_LEN, message.control.byteSize());
            message.control.set(JAVA_INT, Cmsghdr.CMSG_LEVEL, UnixSocket.SOL_SOCKET);
            message.control.set(JAVA_INT, Cmsghdr.CMSG_TYPE, SCM_RIGHTS);
            MemorySegment.copy(fds, 0, message.control, JAVA_INT, Cmsghdr.SIZE, fds.length);
        }
        return message;
    }

    static MessageHeader receiving(Arena arena, int fdsMax) {
        return new MessageHeader(arena, fdsMax);
    }

    MemorySegment segment() {
        return header;
    }

    void bytes(long address, long length) {
        iovec.set(JAVA_LONG, Iovec.IOV_BASE, address);
        iovec.set(JAVA_LONG, Iovec.IOV_LEN, length);
    }

    void dropControl() {
        header.set(JAVA_LONG, Msghdr.MSG_CONTROL, 0);
        header.set(JAVA_LONG, Msghdr.MSG_CONTROLLEN, 0);
    }

    boolean isControlTruncated() {
        return (header.get(JAVA_INT, Msghdr.MSG_FLAGS) & MSG_CTRUNC) != 0;
    }

    /** The descriptors that came, owned from here on. */
    List<Fd> descriptors() {
        List<Fd> descriptors = new ArrayList<>();
        long end = header.get(JAVA_LONG, Msghdr.MSG_CONTROLLEN);
        for (long at = 0; at + Cmsghdr.SIZE <= end; ) {
            long length = control.get(JAVA_LONG, at + Cmsghdr.CMSG_LEN);
            if (length < Cmsghdr.SIZE || length > end - at) {
                break;
            }
            if (control.get(JAVA_INT, at + Cmsghdr.CMSG_LEVEL) == UnixSocket.SOL_SOCKET
                    && control.get(JAVA_INT, at + Cmsghdr.CMSG_TYPE) == SCM_RIGHTS) {
                for (long i = Cmsghdr.SIZE; i + Integer.BYTES <= length; i += Integer.BYTES) {
                    descriptors.add(new Fd(control.get(JAVA_INT, at + i)));
                }
            }
            at += (length + 7) & -8;
        }
        return descriptors;
    }
}
