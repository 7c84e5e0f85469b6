package org.anyvirt.virtio.queue;

/**
 * The driver broke the specification's rules for a ring or a chain. The queue is broken until it is
 * reset. The message names queue, head and the offending value.
 */
public final class MalformedChainException extends Exception {
    private static final long serialVersionUID = 1;

    /**
     * @param head the chain's head, or -1 when the ring itself is wrong
     * @param what what is wrong, with the value
     */
    public MalformedChainException(int queue, int head, String what) {
        super(
                head < 0
                        ? "queue %d: %s".formatted(queue, what)
                        : "queue %d, head %d: %s".formatted(queue, head, what));
    }
}
