package org.anyvirt.transports.vhostuser.message;

import java.nio.ByteBuffer;

/**
 * A range of guest memory, as messages describe it. Any values: nothing is checked here.
 *
 * @param guestAddress guest-physical
 * @param size in bytes
 * @param userAddress where the frontend says that it has it; opaque
 * @param mmapOffset where it starts in the file that comes along, in bytes
 */
public record RegionDescription(long guestAddress, long size, long userAddress, long mmapOffset) {
    static final int SIZE = 32;

    static RegionDescription read(ByteBuffer from) {
        return new RegionDescription(
                from.getLong(), from.getLong(), from.getLong(), from.getLong());
    }

    void write(ByteBuffer to) {
        to.putLong(guestAddress).putLong(size).putLong(userAddress).putLong(mmapOffset);
    }

    @Override
    public String toString() {
        return "[0x%x, +0x%x) at user address 0x%x, file offset 0x%x"
                .formatted(guestAddress, size, userAddress, mmapOffset);
    }
}
