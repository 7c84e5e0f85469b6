package org.anyvirt.driver.block;

/** Told of the end of each request. */
@FunctionalInterface
public interface BlockCompletions {
    /**
     * @param slot the request's; the receiver may start the next request in it, or release it
     * @param status see {@link BlockStatus}
     */
    void completed(int slot, int status);
}
