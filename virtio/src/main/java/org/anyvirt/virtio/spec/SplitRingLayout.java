package org.anyvirt.virtio.spec;

/**
 * The split virtqueue (VIRTIO 1.3, 2.7): a descriptor table, an available ring and a used ring. All
 * fields are little-endian.
 *
 * <pre>{@code
 * struct virtq_avail {                     struct virtq_used {
 *         le16 flags;                              le16 flags;
 *         le16 idx;                                le16 idx;
 *         le16 ring[Queue Size];                   struct virtq_used_elem {
 *         le16 used_event;                                 le32 id;
 * };                                                       le32 len;
 *                                                  } ring[Queue Size];
 *                                                  le16 avail_event;
 *                                          };
 * }</pre>
 */
public final class SplitRingLayout {
    /** The queue size is a power of two of at most this (2.7). */
    public static final int MAX_SIZE = 32768;

    /** Where the second word of a descriptor has its flags and next (2.7.5). */
    public static final int DESC_FLAGS_SHIFT = 32;

    public static final int DESC_NEXT_SHIFT = 48;

    /** Offsets in a descriptor (2.7.5). */
    public static final int DESC_FLAGS = 12;

    public static final int DESC_NEXT = 14;

    /** The descriptor table: its alignment; it has 16 bytes a descriptor (2.7). */
    public static final int DESC_ALIGN = 16;

    /** The available ring (2.7.6): alignment, offsets; {@code used_event} follows the entries. */
    public static final int AVAIL_ALIGN = 2;

    public static final int AVAIL_FLAGS = 0;
    public static final int AVAIL_IDX = 2;
    public static final int AVAIL_RING = 4;
    public static final int AVAIL_ENTRY_SIZE = 2;

    /** The used ring (2.7.8): alignment, offsets; {@code avail_event} follows the entries. */
    public static final int USED_ALIGN = 4;

    public static final int USED_FLAGS = 0;
    public static final int USED_IDX = 2;
    public static final int USED_RING = 4;
    public static final int USED_ENTRY_SIZE = 8;

    /** {@code used_event} and {@code avail_event}: their size. */
    public static final int EVENT_SIZE = 2;

    /** The driver wants no used buffer notifications (2.7.7). */
    public static final int VIRTQ_AVAIL_F_NO_INTERRUPT = 1;

    /** The device wants no available buffer notifications (2.7.10). */
    public static final int VIRTQ_USED_F_NO_NOTIFY = 1;

    private SplitRingLayout() {}
}
