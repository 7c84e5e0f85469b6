package org.anyvirt.virtio.spec;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The block device's feature bits, requests and configuration (VIRTIO 1.3, 5.2). */
public final class BlockLayout {
    /** The unit of every sector number and count in requests and configuration, in bytes. */
    public static final int SECTOR_SIZE = 512;

    /** Fields of requests: little-endian, wherever a driver places them. */
    public static final ValueLayout.OfInt LE32 =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    public static final ValueLayout.OfLong LE64 =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    // Feature bits (VIRTIO 1.3, 5.2.3).
    public static final int VIRTIO_BLK_F_SIZE_MAX = 1;
    public static final int VIRTIO_BLK_F_SEG_MAX = 2;
    public static final int VIRTIO_BLK_F_GEOMETRY = 4;
    public static final int VIRTIO_BLK_F_RO = 5;
    public static final int VIRTIO_BLK_F_BLK_SIZE = 6;
    public static final int VIRTIO_BLK_F_FLUSH = 9;
    public static final int VIRTIO_BLK_F_TOPOLOGY = 10;
    public static final int VIRTIO_BLK_F_CONFIG_WCE = 11;
    public static final int VIRTIO_BLK_F_MQ = 12;
    public static final int VIRTIO_BLK_F_DISCARD = 13;
    public static final int VIRTIO_BLK_F_WRITE_ZEROES = 14;
    public static final int VIRTIO_BLK_F_LIFETIME = 15;
    public static final int VIRTIO_BLK_F_SECURE_ERASE = 16;
    public static final int VIRTIO_BLK_F_ZONED = 17;

    /*
     * struct virtio_blk_config (VIRTIO 1.3, 5.2.4):
     *
     *  0  le64 capacity                 36  le32 max_discard_sectors
     *  8  le32 size_max                 40  le32 max_discard_seg
     * 12  le32 seg_max                  44  le32 discard_sector_alignment
     * 16  geometry (4 bytes)            48  le32 max_write_zeroes_sectors
     * 20  le32 blk_size                 52  le32 max_write_zeroes_seg
     * 24  topology (8 bytes)            56  u8   write_zeroes_may_unmap, u8 unused1[3]
     * 32  u8   writeback, u8 unused0    60  secure erase limits (12 bytes)
     * 34  le16 num_queues               72  zoned characteristics (24 bytes)
     */
    public static final int CONFIG_CAPACITY = 0;
    public static final int CONFIG_SIZE_MAX = 8;
    public static final int CONFIG_SEG_MAX = 12;
    public static final int CONFIG_BLK_SIZE = 20;
    public static final int CONFIG_PHYSICAL_BLOCK_EXP = 24;
    public static final int CONFIG_ALIGNMENT_OFFSET = 25;
    public static final int CONFIG_MIN_IO_SIZE = 26;
    public static final int CONFIG_OPT_IO_SIZE = 28;
    public static final int CONFIG_WRITEBACK = 32;
    public static final int CONFIG_NUM_QUEUES = 34;
    public static final int CONFIG_MAX_DISCARD_SECTORS = 36;
    public static final int CONFIG_MAX_DISCARD_SEG = 40;
    public static final int CONFIG_DISCARD_SECTOR_ALIGNMENT = 44;
    public static final int CONFIG_MAX_WRITE_ZEROES_SECTORS = 48;
    public static final int CONFIG_MAX_WRITE_ZEROES_SEG = 52;
    public static final int CONFIG_WRITE_ZEROES_MAY_UNMAP = 56;

    /** Up to and with unused1: this device has nothing of what follows. */
    public static final int CONFIG_SIZE = 60;

    // Request types (VIRTIO 1.3, 5.2.6).
    public static final int VIRTIO_BLK_T_IN = 0;
    public static final int VIRTIO_BLK_T_OUT = 1;
    public static final int VIRTIO_BLK_T_FLUSH = 4;
    public static final int VIRTIO_BLK_T_GET_ID = 8;
    public static final int VIRTIO_BLK_T_GET_LIFETIME = 10;
    public static final int VIRTIO_BLK_T_DISCARD = 11;
    public static final int VIRTIO_BLK_T_WRITE_ZEROES = 13;
    public static final int VIRTIO_BLK_T_SECURE_ERASE = 14;

    // The status byte that ends every request.
    public static final byte VIRTIO_BLK_S_OK = 0;
    public static final byte VIRTIO_BLK_S_IOERR = 1;
    public static final byte VIRTIO_BLK_S_UNSUPP = 2;

    /*
     * The device-readable header of struct virtio_blk_req:
     *
     *  0  le32 type, 4  le32 reserved, 8  le64 sector
     */
    public static final int REQUEST_TYPE = 0;
    public static final int REQUEST_SECTOR = 8;
    public static final int REQUEST_HEADER_SIZE = 16;

    /** The bytes of the device's identity that VIRTIO_BLK_T_GET_ID returns, padded with zeros. */
    public static final int VIRTIO_BLK_ID_BYTES = 20;

    /*
     * struct virtio_blk_discard_write_zeroes:
     *
     *  0  le64 sector, 8  le32 num_sectors, 12  le32 flags (bit 0: unmap)
     */
    public static final int SEGMENT_SECTOR = 0;
    public static final int SEGMENT_NUM_SECTORS = 8;
    public static final int SEGMENT_FLAGS = 12;
    public static final int SEGMENT_SIZE = 16;
    public static final int VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP = 1;

    private BlockLayout() {}
}
