package org.anyvirt.transports.vhostuser.message;

import java.nio.ByteBuffer;

/** What a message's payload looks like, and how many bytes it may have. */
public enum Shape {
    /** There is no such message: a request without a reply of its own. */
    NONE(0, 0),
    /** A message without payload. */
    EMPTY(0, 0),
    U64(8, 8),
    VRING_STATE(8, 8),
    VRING_ADDRESS(40, 40),
    MEMORY_TABLE(8, 8 + Payload.MemoryTable.REGIONS_MAX * RegionDescription.SIZE),
    SINGLE_REGION(40, 40),
    LOG(16, 16),
    /** {@code struct vhost_iotlb_msg}, with the tail padding that C gives it. */
    IOTLB(32, 32),
    /** 0 bytes are a failure's reply. */
    CONFIG(0, Payload.Config.HEADER_SIZE + Payload.Config.BYTES_MAX),
    VRING_AREA(24, 24),
    /** With or without the tail padding that C gives it. */
    INFLIGHT(20, 24),
    DEVICE_STATE(8, 8),
    /** Of messages that nobody here speaks: crypto sessions, shared objects, shared memory. */
    OPAQUE(0, Header.PAYLOAD_MAX);

    private final int sizeMin;
    private final int sizeMax;

    Shape(int sizeMin, int sizeMax) {
        this.sizeMin = sizeMin;
        this.sizeMax = sizeMax;
    }

    /** The fewest bytes. */
    public int sizeMin() {
        return sizeMin;
    }

    /** The most bytes. */
    public int sizeMax() {
        return sizeMax;
    }

    /**
     * Reads a payload: the remaining bytes of {@code from}, all of them.
     *
     * @throws MalformedMessageException when they are too few, too many, or contradict themselves
     */
    public Payload read(ByteBuffer from) throws MalformedMessageException {
        int size = from.remaining();
        if (size < sizeMin || size > sizeMax) {
            throw new MalformedMessageException(
                    sizeMin == sizeMax
                            ? "a payload of %d bytes where %s has %d".formatted(size, this, sizeMin)
                            : "a payload of %d bytes where %s has %d to %d"
                                    .formatted(size, this, sizeMin, sizeMax));
        }
        Payload payload =
                switch (this) {
                    case NONE, EMPTY -> Payload.EMPTY;
                    case U64 -> Payload.U64.read(from);
                    case VRING_STATE -> Payload.VringState.read(from);
                    case VRING_ADDRESS -> Payload.VringAddress.read(from);
                    case MEMORY_TABLE -> Payload.MemoryTable.read(from);
                    case SINGLE_REGION -> Payload.SingleRegion.read(from);
                    case LOG -> Payload.Log.read(from);
                    case IOTLB -> Payload.Iotlb.read(from);
                    case CONFIG -> size == 0 ? Payload.EMPTY : Payload.Config.read(from);
                    case VRING_AREA -> Payload.VringArea.read(from);
                    case INFLIGHT -> Payload.Inflight.read(from);
                    case DEVICE_STATE -> Payload.DeviceState.read(from);
                    case OPAQUE -> Payload.Opaque.read(from);
                };
        from.position(from.limit());
        return payload;
    }
}
