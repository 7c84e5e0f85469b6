package org.anyvirt.e2e.hostile;

import org.anyvirt.driver.memory.SharedRange;
import org.anyvirt.virtio.spec.DescriptorLayout;

/**
 * An element of a descriptor chain, right or wrong.
 *
 * @param flags as in the descriptor; whoever chains elements adds VIRTQ_DESC_F_NEXT
 */
record Element(long address, long length, int flags) {
    static Element readable(SharedRange range) {
        return new Element(range.address(), range.size(), 0);
    }

    static Element writable(SharedRange range) {
        return new Element(range.address(), range.size(), DescriptorLayout.VIRTQ_DESC_F_WRITE);
    }

    /** A descriptor that refers to a table of elements. */
    static Element table(SharedRange range) {
        return new Element(range.address(), range.size(), DescriptorLayout.VIRTQ_DESC_F_INDIRECT);
    }

    Element at(long newAddress) {
        return new Element(newAddress, length, flags);
    }

    Element ofLength(long newLength) {
        return new Element(address, newLength, flags);
    }

    Element withFlags(int more) {
        return new Element(address, length, flags | more);
    }
}
