package org.anyvirt.virtio.queue;

import static org.anyvirt.virtio.spec.DescriptorLayout.MAX_CHAIN_BYTES;
import static org.anyvirt.virtio.spec.DescriptorLayout.SIZE;
import static org.anyvirt.virtio.spec.DescriptorLayout.VIRTQ_DESC_F_NEXT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.anyvirt.virtio.memory.Access;
import org.anyvirt.virtio.memory.Buffers;
import org.anyvirt.virtio.memory.BusMemory;
import org.anyvirt.virtio.memory.Resolution;

/**
 * Turns the elements of a descriptor chain into the buffers of a {@link Chain}, and checks what is
 * to check of an element or an indirect table, wherever its descriptor stands.
 *
 * <p>Data plane, on the owner's thread.
 */
final class ChainWalker {
    /**
     * A chain is no longer than the queue (VIRTIO 1.3, 2.7.5.3.1), but drivers in the field build
     * indirect tables by the limits of the device type alone (a block device's seg_max, say), and
     * such a table may be longer than a small queue. So tables have this bound where the queue's is
     * lower: as many entries as an iovec of the host takes.
     */
    private static final int TABLE_LIMIT = 1024;

    private final int queue;
    private final BusMemory memory;
    private final boolean indirectAccepted;
    private final int maxTableEntries;
    private final Buffers tableBuffers = new Buffers();

    private Chain chain;
    private int head;
    private long total;
    private boolean writableSeen;

    // The indirect table that is open, in one piece.
    private MemorySegment table;
    private long tableAt;
    private MemorySegment copy;

    ChainWalker(int queue, int size, BusMemory memory, boolean indirectAccepted) {
        this.queue = queue;
        this.memory = memory;
        this.indirectAccepted = indirectAccepted;
        maxTableEntries = Math.max(size, TABLE_LIMIT);
    }

    /**
     * @param firstHead names the chain in messages
     */
    void begin(Chain empty, int firstHead) {
        chain = empty;
        head = firstHead;
        total = 0;
        writableSeen = false;
    }

    int head() {
        return head;
    }

    /**
     * Appends an element.
     *
     * @return false when its memory is pending
     */
    boolean add(long address, long length, boolean writable) throws MalformedChainException {
        // VIRTIO 1.3, 2.7.4.2, 2.8.17: device-writable elements come after device-readable ones.
        // Not asked of the buffers, as an element of no bytes leaves no fragment there.
        if (writable) {
            writableSeen = true;
        } else if (writableSeen) {
            throw malformed("a device-readable buffer after a device-writable one");
        }
        // No rule forbids an element of no bytes, and a device must not assume how a driver
        // arranges elements (2.7.4.1): it adds nothing, and its address means nothing.
        if (length == 0) {
            return true;
        }
        total += length;
        if (total > MAX_CHAIN_BYTES) {
            // VIRTIO 1.3, 2.7.5.2. No overflow: each of the lengths has 32 bits.
            throw malformed("%d bytes in the chain, more than 2^32".formatted(total));
        }
        return resolve(
                address,
                length,
                writable ? Access.DEVICE_WRITABLE : Access.DEVICE_READABLE,
                writable ? chain.writable() : chain.readable());
    }

    /**
     * Opens the indirect table that a descriptor refers to; the descriptor's own WRITE flag means
     * nothing (VIRTIO 1.3, 2.7.5.3.2, 2.8.7).
     *
     * @param flags the referring descriptor's
     * @return the number of entries, or 0 when the table's memory is pending
     */
    int openTable(long address, long length, int flags) throws MalformedChainException {
        if (!indirectAccepted) {
            throw malformed("an indirect descriptor without VIRTIO_F_INDIRECT_DESC");
        }
        if ((flags & VIRTQ_DESC_F_NEXT) != 0) {
            // VIRTIO 1.3, 2.7.5.3.1, 2.8.19: the table ends the chain.
            throw malformed("flags 0x%x: an indirect descriptor with a next one".formatted(flags));
        }
        if (length == 0 || length % SIZE != 0) {
            throw malformed(
                    "an indirect table of %d bytes, not a multiple of %d".formatted(length, SIZE));
        }
        if (length / SIZE > maxTableEntries) {
            throw malformed(
                    "an indirect table of %d descriptors, more than %d"
                            .formatted(length / SIZE, maxTableEntries));
        }
        if (!resolve(address, length, Access.DEVICE_READABLE, tableBuffers)) {
            return 0;
        }
        if (tableBuffers.fragments() == 1) {
            table = tableBuffers.memory(0);
            tableAt = tableBuffers.offset(0);
        } else {
            if (copy == null || copy.byteSize() < length) {
                copy = Arena.ofAuto().allocate(length, SIZE);
            }
            tableBuffers.get(0, copy, 0, length);
            table = copy;
            tableAt = 0;
        }
        return (int) (length / SIZE);
    }

    /** A word of the open table, to be read once: the driver may still write there. */
    long tableWord(int entry, int offset) {
        return RingAccess.u64Anywhere(table, tableAt + (long) entry * SIZE + offset);
    }

    void closeTable() {
        if (table != null) {
            memory.release(tableBuffers);
            tableBuffers.clear();
            table = null;
        }
    }

    /** Names the chain. */
    MalformedChainException malformed(String what) {
        return new MalformedChainException(queue, head, what);
    }

    private boolean resolve(long address, long length, Access access, Buffers into)
            throws MalformedChainException {
        Resolution resolution = memory.resolve(address, length, access, into);
        if (resolution == Resolution.FAULT) {
            throw malformed(
                    "[0x%x, +0x%x) is not shared memory, %s"
                            .formatted(
                                    address,
                                    length,
                                    access == Access.DEVICE_READABLE
                                            ? "device-readable"
                                            : "device-writable"));
        }
        return resolution == Resolution.READY;
    }
}
