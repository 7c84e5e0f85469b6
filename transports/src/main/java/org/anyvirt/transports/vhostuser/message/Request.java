package org.anyvirt.transports.vhostuser.message;

/** What either side can ask of the other: one row of the specification's message types. */
public sealed interface Request permits FrontendRequest, BackendRequest {
    /** The number in the header. Each direction counts on its own. */
    int id();

    /** The request's payload. */
    Shape payload();

    /** The most file descriptors that come with the request. */
    int descriptorsMax();

    /**
     * The reply's payload; {@link Shape#NONE} when there is a reply only if the header asks for
     * one, and then a {@link Payload.U64} of 0 for success.
     */
    Shape reply();

    /** The protocol feature without which nobody may send it, or null when it needs none. */
    ProtocolFeature protocolFeature();
}
