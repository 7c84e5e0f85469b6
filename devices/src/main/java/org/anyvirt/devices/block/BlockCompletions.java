package org.anyvirt.devices.block;

/** Told of the end of each request. */
@FunctionalInterface
public interface BlockCompletions {
    /**
     * May start further requests on the queue.
     *
     * @param token the request's
     * @param error 0, or the positive errno of the failure
     */
    void completed(long token, int error);
}
