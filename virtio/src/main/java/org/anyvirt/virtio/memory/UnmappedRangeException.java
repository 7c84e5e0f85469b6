package org.anyvirt.virtio.memory;

/** A range that was never shared, or not for this access. The message names it. */
public final class UnmappedRangeException extends Exception {
    private static final long serialVersionUID = 1;

    public UnmappedRangeException(long address, long length, String why) {
        super("[0x%x, +0x%x) %s".formatted(address, length, why));
    }
}
