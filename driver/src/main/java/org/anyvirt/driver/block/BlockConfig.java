package org.anyvirt.driver.block;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The configuration space of a block device (VIRTIO 1.3, 5.2.4). Fields whose feature was not
 * negotiated have no meaning.
 *
 * <pre>
 *  0 le64 capacity              24 u8   physical_block_exp      36 le32 max_discard_sectors
 *  8 le32 size_max              25 u8   alignment_offset        40 le32 max_discard_seg
 * 12 le32 seg_max               26 le16 min_io_size             44 le32 discard_sector_alignment
 * 16 le16 cylinders, u8, u8     28 le32 opt_io_size             48 le32 max_write_zeroes_sectors
 * 20 le32 blk_size              32 u8   writeback, u8           52 le32 max_write_zeroes_seg
 *                               34 le16 num_queues              56 u8   write_zeroes_may_unmap
 * </pre>
 *
 * @param capacity in sectors of 512 bytes
 */
public record BlockConfig(
        long capacity,
        long sizeMax,
        long segMax,
        long blkSize,
        int physicalBlockExp,
        int alignmentOffset,
        int minIoSize,
        long optIoSize,
        int writeback,
        int numQueues,
        long maxDiscardSectors,
        long maxDiscardSeg,
        long discardSectorAlignment,
        long maxWriteZeroesSectors,
        long maxWriteZeroesSeg,
        int writeZeroesMayUnmap) {
    /** Bytes up to the last field known here, with its padding. */
    static final int SIZE = 60;

    /** The offset of the one field that a driver may write. */
    static final int WRITEBACK = 32;

    static BlockConfig decode(byte[] bytes) {
        ByteBuffer at = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        return new BlockConfig(
                at.getLong(0),
                u32(at, 8),
                u32(at, 12),
                u32(at, 20),
                at.get(24) & 0xff,
                at.get(25) & 0xff,
                at.getShort(26) & 0xffff,
                u32(at, 28),
                at.get(WRITEBACK) & 0xff,
                at.getShort(34) & 0xffff,
                u32(at, 36),
                u32(at, 40),
                u32(at, 44),
                u32(at, 48),
                u32(at, 52),
                at.get(56) & 0xff);
    }

    private static long u32(ByteBuffer at, int offset) {
        return at.getInt(offset) & 0xffff_ffffL;
    }
}
