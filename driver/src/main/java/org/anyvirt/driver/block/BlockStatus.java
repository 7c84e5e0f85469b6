package org.anyvirt.driver.block;

/** The status byte of a block request (VIRTIO 1.3, 5.2.6). */
public final class BlockStatus {
    public static final int VIRTIO_BLK_S_OK = 0;
    public static final int VIRTIO_BLK_S_IOERR = 1;
    public static final int VIRTIO_BLK_S_UNSUPP = 2;

    /** What the driver writes before the request: a device that writes no status is caught. */
    static final int NOT_WRITTEN = 0xff;

    private BlockStatus() {}

    /** For people. */
    public static String name(int status) {
        return switch (status) {
            case VIRTIO_BLK_S_OK -> "VIRTIO_BLK_S_OK";
            case VIRTIO_BLK_S_IOERR -> "VIRTIO_BLK_S_IOERR";
            case VIRTIO_BLK_S_UNSUPP -> "VIRTIO_BLK_S_UNSUPP";
            case NOT_WRITTEN -> "no status written";
            default -> "status " + status;
        };
    }
}
