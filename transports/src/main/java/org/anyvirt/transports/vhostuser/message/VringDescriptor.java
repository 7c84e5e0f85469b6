package org.anyvirt.transports.vhostuser.message;

/**
 * What the integer of {@code SET_VRING_KICK}, {@code SET_VRING_CALL} and {@code SET_VRING_ERR}
 * says.
 *
 * @param index the vring's, 0 to 255
 * @param present whether a file descriptor comes along; without one there is polling instead
 */
public record VringDescriptor(int index, boolean present) {
    private static final long INDEX = 0xff;
    private static final long ABSENT = 1 << 8;

    public static VringDescriptor of(Payload.U64 payload) throws MalformedMessageException {
        long value = payload.value();
        if ((value & ~(INDEX | ABSENT)) != 0) {
            throw new MalformedMessageException(
                    "0x%x is no vring index with a flag".formatted(value));
        }
        return new VringDescriptor((int) (value & INDEX), (value & ABSENT) == 0);
    }

    public Payload.U64 payload() {
        return new Payload.U64(present ? index & INDEX : index & INDEX | ABSENT);
    }
}
