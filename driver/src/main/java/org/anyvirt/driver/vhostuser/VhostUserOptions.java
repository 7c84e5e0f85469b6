package org.anyvirt.driver.vhostuser;

import static org.anyvirt.transports.vhostuser.message.ProtocolFeature.*;

import org.anyvirt.transports.vhostuser.message.ProtocolFeature;

/**
 * How to speak to a backend.
 *
 * @param wanted the protocol features to accept, as far as they are offered
 * @param memorySlots sends memory region by region, where the backend can; else as one table
 * @param kickFd gives the backend an eventfd to wait on; else it must poll
 * @param callFd gives the backend an eventfd to signal; else the driver must poll
 */
public record VhostUserOptions(long wanted, boolean memorySlots, boolean kickFd, boolean callFd) {
    /** Everything that this frontend speaks. */
    public static final VhostUserOptions DEFAULT =
            new VhostUserOptions(
                    ProtocolFeature.setOf(
                            VHOST_USER_PROTOCOL_F_MQ,
                            VHOST_USER_PROTOCOL_F_REPLY_ACK,
                            VHOST_USER_PROTOCOL_F_BACKEND_REQ,
                            VHOST_USER_PROTOCOL_F_CONFIG,
                            VHOST_USER_PROTOCOL_F_RESET_DEVICE,
                            VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS,
                            VHOST_USER_PROTOCOL_F_STATUS),
                    true,
                    true,
                    true);

    public VhostUserOptions without(ProtocolFeature feature) {
        return new VhostUserOptions(
                wanted & ~ProtocolFeature.setOf(feature), memorySlots, kickFd, callFd);
    }

    public VhostUserOptions withMemorySlots(boolean slots) {
        return new VhostUserOptions(wanted, slots, kickFd, callFd);
    }

    public VhostUserOptions withKickFd(boolean present) {
        return new VhostUserOptions(wanted, memorySlots, present, callFd);
    }

    public VhostUserOptions withCallFd(boolean present) {
        return new VhostUserOptions(wanted, memorySlots, kickFd, present);
    }
}
