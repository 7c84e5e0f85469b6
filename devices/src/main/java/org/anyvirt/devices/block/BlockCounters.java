package org.anyvirt.devices.block;

/**
 * What a block device has done since it was made, as seen at some moment.
 *
 * @param reads that succeeded, as are those that follow
 * @param readBytes in bytes
 * @param writtenBytes in bytes
 * @param failed requests that the store could not do
 * @param refused requests that no store could do: outside the capacity, of an unknown type
 */
public record BlockCounters(
        long reads,
        long readBytes,
        long writes,
        long writtenBytes,
        long flushes,
        long discards,
        long writeZeroes,
        long failed,
        long refused) {
    static final BlockCounters NONE = new BlockCounters(0, 0, 0, 0, 0, 0, 0, 0, 0);

    BlockCounters plus(BlockCounters other) {
        return new BlockCounters(
                reads + other.reads,
                readBytes + other.readBytes,
                writes + other.writes,
                writtenBytes + other.writtenBytes,
                flushes + other.flushes,
                discards + other.discards,
                writeZeroes + other.writeZeroes,
                failed + other.failed,
                refused + other.refused);
    }
}
