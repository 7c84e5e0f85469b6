package org.anyvirt.virtio.spec;

/**
 * The packed virtqueue (VIRTIO 1.3, 2.8): a descriptor ring and two event suppression structures,
 * the driver's and the device's. All fields are little-endian.
 *
 * <pre>{@code
 * struct pvirtq_event_suppress {
 *         le16 desc_event_off : 15, desc_event_wrap : 1;
 *         le16 desc_event_flags : 2, reserved : 14;
 * };
 * }</pre>
 */
public final class PackedRingLayout {
    /** The queue size is at most this, and need not be a power of two (2.8, 2.8.10.1). */
    public static final int MAX_SIZE = 32768;

    /** Where the second word of a descriptor has its buffer id and flags (2.8.13). */
    public static final int DESC_ID_SHIFT = 32;

    public static final int DESC_FLAGS_SHIFT = 48;

    /** Offsets in a descriptor (2.8.13). */
    public static final int DESC_ID = 12;

    public static final int DESC_FLAGS = 14;

    /** The descriptor ring: its alignment; it has 16 bytes a descriptor (2.8.10.1). */
    public static final int DESC_ALIGN = 16;

    /** Compared with the wrap counters: available when they differ, used when equal (2.8.1). */
    public static final int VIRTQ_DESC_F_AVAIL = 1 << 7;

    public static final int VIRTQ_DESC_F_USED = 1 << 15;

    /**
     * The event suppression structures (2.8.14): size, which is also the alignment, and offsets.
     */
    public static final int EVENT_SIZE = 4;

    public static final int EVENT_OFF_WRAP = 0;
    public static final int EVENT_FLAGS = 2;

    /** Where a structure read as one word has its flags. */
    public static final int EVENT_FLAGS_SHIFT = 16;

    public static final int EVENT_FLAGS_MASK = 3;

    /** {@code off_wrap}: the ring offset, and the bit of the wrap counter (2.8.14). */
    public static final int EVENT_OFF_MASK = 0x7fff;

    public static final int EVENT_WRAP_SHIFT = 15;

    /** Values of {@code desc_event_flags}; 3 is reserved (2.8.10). */
    public static final int RING_EVENT_FLAGS_ENABLE = 0;

    public static final int RING_EVENT_FLAGS_DISABLE = 1;
    public static final int RING_EVENT_FLAGS_DESC = 2;

    private PackedRingLayout() {}
}
