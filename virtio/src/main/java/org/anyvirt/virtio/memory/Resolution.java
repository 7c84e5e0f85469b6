package org.anyvirt.virtio.memory;

/** What {@link BusMemory#resolve} answers. */
public enum Resolution {
    /** The fragments are there, and pinned until released. */
    READY,
    /** The range is not memory that was shared, or not for this access. */
    FAULT,
    /** A mapping, a copy or a translation is under way; resolve again when woken. */
    PENDING
}
