package org.anyvirt.linux;

/**
 * What statx(2) says of a file.
 *
 * @param mode type and permission bits
 * @param size bytes; 0 for a block device, see {@link OpenFile#blockDeviceSize}
 * @param device number of the file system; with {@code inode} the identity of the file
 * @param blocks512 storage it takes, in units of 512 bytes whatever the block size
 */
public record FileStat(int mode, long size, long device, long inode, long blocks512) {
    static final int S_IFMT = 0170000;
    static final int S_IFSOCK = 0140000;
    static final int S_IFREG = 0100000;
    static final int S_IFBLK = 0060000;

    public boolean isRegular() {
        return (mode & S_IFMT) == S_IFREG;
    }

    public boolean isBlockDevice() {
        return (mode & S_IFMT) == S_IFBLK;
    }
}
