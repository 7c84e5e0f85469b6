package org.anyvirt.virtio.device;

/**
 * A thread that serves queues, by turns. One runner owns a queue, so that a ring has one reader and
 * one writer.
 */
public interface Runner {
    /** Runs {@code command} on the runner's thread, soon; from any thread, never blocks. */
    void execute(Runnable command);

    /** Serves {@code turn} from now on. On the runner's thread. */
    void attach(Turn turn);

    /** Serves {@code turn} no more. On the runner's thread. */
    void detach(Turn turn);

    /**
     * Wakes the runner whenever {@code fd} becomes readable. On the runner's thread.
     *
     * @throws java.io.UncheckedIOException when nobody can wait for such a descriptor
     */
    void watch(int fd);

    /**
     * Ends {@link #watch}, if it was watched; before the descriptor is closed. On the runner's
     * thread.
     */
    void unwatch(int fd);

    /** Makes every turn run once more before the runner sleeps; from any thread. */
    void wake();

    /** What a runner serves; all methods are called on its thread. */
    interface Turn {
        /**
         * Does a bounded amount of work.
         *
         * @return how much; 0 when idle
         */
        int run();

        /**
         * The runner is about to sleep: from here on a notification must wake it.
         *
         * @return false when there is work after all
         */
        boolean maySleep();

        /**
         * The turn ended with an error that is not its to throw: a bug, or memory that a peer took
         * away (in compiled code the JVM reports this late, at the end of the turn).
         */
        void failed(Throwable error);
    }
}
