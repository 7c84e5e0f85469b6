package org.anyvirt.virtio.memory;

/** What a device does to a range of memory; the words are those of VIRTIO 1.3, 2.6. */
public enum Access {
    DEVICE_READABLE,
    DEVICE_WRITABLE
}
