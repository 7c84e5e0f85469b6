package org.anyvirt.virtio.raw;

/** A used buffer: the head or buffer id, and the bytes written. */
public record Used(int id, long length) {}
