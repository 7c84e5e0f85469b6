package org.anyvirt.virtio.spec;

/**
 * What the descriptors of split and packed rings, and of indirect tables, have in common (VIRTIO
 * 1.3, 2.7.5, 2.8.13). All fields are little-endian.
 *
 * <pre>{@code
 * struct virtq_desc {            struct pvirtq_desc {
 *         le64 addr;                     le64 addr;
 *         le32 len;                      le32 len;
 *         le16 flags;                    le16 id;
 *         le16 next;                     le16 flags;
 * };                             };
 * }</pre>
 *
 * <p>A reader may take a descriptor in two words of eight bytes; the shifts are those of the second
 * word, which begins at {@link #LEN}.
 */
public final class DescriptorLayout {
    public static final int SIZE = 16;
    public static final int ADDR = 0;
    public static final int LEN = 8;

    /** The length in the second word. */
    public static final long LEN_MASK = 0xffff_ffffL;

    /** The buffer continues in another descriptor (2.7.5, 2.8.6). */
    public static final int VIRTQ_DESC_F_NEXT = 1;

    /** The buffer is device-writable, otherwise device-readable (2.7.5, 2.8.3). */
    public static final int VIRTQ_DESC_F_WRITE = 2;

    /** The buffer holds a table of descriptors (2.7.5.3, 2.8.7). */
    public static final int VIRTQ_DESC_F_INDIRECT = 4;

    /** The most bytes of a chain (2.7.5.2). */
    public static final long MAX_CHAIN_BYTES = 1L << 32;

    private DescriptorLayout() {}
}
