package org.anyvirt.transports.vhostuser.message;

import java.nio.ByteBuffer;

/**
 * The 12 bytes before each payload, in the machine's byte order:
 *
 * <pre>
 * u32 request
 * u32 flags     bits 0-1 version, bit 2 reply, bit 3 need_reply
 * u32 size      of the payload, in bytes
 * </pre>
 *
 * @param request a number of {@link FrontendRequest} or {@link BackendRequest}, or an unknown one
 */
public record Header(int request, int flags, int size) {
    /** In bytes. */
    public static final int SIZE = 12;

    /** More than any payload of the protocol has, in bytes. */
    public static final int PAYLOAD_MAX = 4096;

    private static final int VERSION_MASK = 3;
    private static final int VERSION = 1;
    private static final int REPLY = 1 << 2;
    private static final int NEED_REPLY = 1 << 3;

    /** The header of a request. */
    public static Header request(Request request, boolean needReply, Payload payload) {
        return new Header(
                request.id(), needReply ? VERSION | NEED_REPLY : VERSION, payload.encodedSize());
    }

    /** The header of a reply: the request's number comes back. */
    public static Header reply(int request, Payload payload) {
        return new Header(request, VERSION | REPLY, payload.encodedSize());
    }

    /**
     * Reads the next {@link #SIZE} bytes.
     *
     * @throws MalformedMessageException when what follows cannot be delimited: of another version,
     *     or larger than any message is
     */
    public static Header read(ByteBuffer from) throws MalformedMessageException {
        Header header = new Header(from.getInt(), from.getInt(), from.getInt());
        if ((header.flags & VERSION_MASK) != VERSION) {
            throw new MalformedMessageException(
                    "request %s: version %d, not %d"
                            .formatted(
                                    Integer.toUnsignedString(header.request),
                                    header.flags & VERSION_MASK,
                                    VERSION));
        }
        if (Integer.compareUnsigned(header.size, PAYLOAD_MAX) > 0) {
            throw new MalformedMessageException(
                    "request %s: a payload of %s bytes, of at most %d"
                            .formatted(
                                    Integer.toUnsignedString(header.request),
                                    Integer.toUnsignedString(header.size),
                                    PAYLOAD_MAX));
        }
        return header;
    }

    public void write(ByteBuffer to) {
        to.putInt(request).putInt(flags).putInt(size);
    }

    public boolean isReply() {
        return (flags & REPLY) != 0;
    }

    public boolean needsReply() {
        return (flags & NEED_REPLY) != 0;
    }
}
