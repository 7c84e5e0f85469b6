package org.anyvirt.driver.block;

import java.io.IOException;

/** A block request that did not end with {@code VIRTIO_BLK_S_OK}. */
public final class BlockRequestException extends IOException {
    private static final long serialVersionUID = 1;

    private final int status;

    BlockRequestException(String request, int status) {
        super(request + ": " + BlockStatus.name(status));
        this.status = status;
    }

    /** See {@link BlockStatus}. */
    public int status() {
        return status;
    }
}
