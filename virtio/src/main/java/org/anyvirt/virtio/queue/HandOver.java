package org.anyvirt.virtio.queue;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Chains on their way from the threads that completed them to the one that owns the queue.
 *
 * <p>Data plane. A stack linked through the chains themselves: a chain is handed over at most once
 * a use, so that nothing can overflow; the owner always takes all, so that a chain that comes back
 * cannot be mistaken for its earlier use.
 */
final class HandOver {
    private static final VarHandle NEWEST;

    static {
        try {
            NEWEST = MethodHandles.lookup().findVarHandle(HandOver.class, "newest", Chain.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private volatile Chain newest;

    /**
     * From any thread.
     *
     * @return whether the owner must be woken: for what was there before, another thread does
     */
    boolean push(Chain chain) {
        Chain before;
        do {
            before = newest;
            chain.handedOverBefore = before;
        } while (!NEWEST.compareAndSet(this, before, chain));
        return before == null;
    }

    /**
     * Takes all. On the owner's thread.
     *
     * @return the one handed over last, or null; it leads to those before
     */
    Chain takeAll() {
        return newest == null ? null : (Chain) NEWEST.getAndSet(this, (Chain) null);
    }
}
