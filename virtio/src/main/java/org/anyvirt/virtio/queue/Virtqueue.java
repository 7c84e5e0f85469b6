package org.anyvirt.virtio.queue;

/**
 * A started virtqueue as its device sees it.
 *
 * <p>Data plane. One runner thread owns it: every method but {@link #completeFrom} is called on
 * that thread.
 */
public interface Virtqueue {
    /** Its number among the device's queues. */
    int index();

    /** The number of descriptors. */
    int size();

    /**
     * Takes chains that the driver has made available, in ring order.
     *
     * @param into receives the chains from index 0 on
     * @param max at most this many
     * @return how many; fewer than there are while memory must first be mapped or copied, and then
     *     the same chain comes first next time
     * @throws MalformedChainException when the driver breaks the specification's rules, and from
     *     then on each time; chains in flight can still be completed. Chains before the malformed
     *     one are returned first
     */
    int take(Chain[] into, int max) throws MalformedChainException;

    /**
     * Gives a chain back to the driver. It becomes visible, and the driver is notified, at the end
     * of the runner's turn.
     *
     * @param written the bytes written to the device-writable part from its start
     * @throws AssertionError when the chain is completed already, or is too short for {@code
     *     written}: a defect of the device
     */
    void complete(Chain chain, long written);

    /**
     * The same from any thread: hands the completion over to the runner and wakes it. What is wrong
     * with {@code written} shows on the runner's thread.
     *
     * @return false when the token is stale: completed before, or of a queue since stopped
     */
    boolean completeFrom(long token, long written);

    /** Chains taken and not completed. */
    int inFlight();
}
