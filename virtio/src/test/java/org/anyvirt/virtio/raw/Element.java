package org.anyvirt.virtio.raw;

/** One element of a buffer, as a driver describes it. */
public record Element(long address, long length, boolean writable) {
    public static Element readable(long address, long length) {
        return new Element(address, length, false);
    }

    public static Element writable(long address, long length) {
        return new Element(address, length, true);
    }
}
