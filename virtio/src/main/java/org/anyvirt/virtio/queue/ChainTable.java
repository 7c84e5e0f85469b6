package org.anyvirt.virtio.queue;

import java.util.concurrent.atomic.AtomicLongArray;
import org.anyvirt.virtio.memory.BusMemory;

/**
 * The chains of a queue from taking to the used ring, by head: which are in flight, under which
 * token, and in which order they go back to the driver.
 *
 * <p>Data plane; all on the owner's thread but {@link #completeFrom}. A head's state is its token
 * while the device has the chain, and only whoever swaps the token for {@link #COMPLETED} completes
 * it: so completing twice, or with an older token, cannot do harm. Tokens are a counter of uses
 * above 16 bits of head; the counter starts at 1, so that no token is a small number, and lasts for
 * nine years of a million chains a second.
 */
final class ChainTable {
    private static final long FREE = 0;
    private static final long COMPLETED = 1;
    private static final int HEAD_BITS = 16;
    private static final long NEXT_USE = 1L << HEAD_BITS;

    private final Chain[] chains;
    private final AtomicLongArray states;
    private final HandOver handOver = new HandOver();
    private final MemoryGenerations generations = new MemoryGenerations();
    private final BusMemory memory;
    private final boolean inOrder;
    private final Runnable wake;

    /** One more than there are heads: a chain is filled before a packed ring tells its id. */
    private Chain blank = new Chain();

    private Chain oldest;
    private Chain newest;
    private long uses = NEXT_USE;
    private int inFlight;

    ChainTable(int size, BusMemory memory, boolean inOrder, Runnable wake) {
        this.memory = memory;
        this.inOrder = inOrder;
        this.wake = wake;
        chains = new Chain[size];
        for (int i = 0; i < size; i++) {
            chains[i] = new Chain();
        }
        states = new AtomicLongArray(size);
    }

    /** The chain to fill and {@link #take} next. */
    Chain blank() {
        return blank;
    }

    /**
     * Whether the driver may make {@code head} available: it is not, or no longer, the device's.
     */
    boolean isFree(int head) {
        return states.getPlain(head) == FREE;
    }

    int inFlight() {
        return inFlight;
    }

    /** The filled chain is the device's from now on. */
    Chain take(int head) {
        Chain chain = blank;
        blank = chains[head];
        chains[head] = chain;
        long token = uses | head;
        uses += NEXT_USE;
        chain.use(head, token);
        inFlight++;
        if (inOrder) {
            append(chain);
        }
        // Release: whoever learns the token finds the chain filled.
        states.setRelease(head, token);
        return chain;
    }

    /** Empties a chain that was not taken after all, and unpins what it holds. */
    void abandonBlank() {
        release(blank);
    }

    void complete(Chain chain, long written) {
        if (claim(chain.token()) != chain) {
            throw new AssertionError("head %d is completed twice".formatted(chain.head()));
        }
        chain.written = written;
        end(chain);
    }

    /** From any thread. */
    boolean completeFrom(long token, long written) {
        Chain chain = claim(token);
        if (chain == null) {
            return false;
        }
        chain.written = written;
        if (handOver.push(chain)) {
            wake.run();
        }
        return true;
    }

    /** Ends what other threads completed, in their order. */
    int reapHandedOver() {
        Chain newer = null;
        Chain chain = handOver.takeAll();
        while (chain != null) {
            Chain before = chain.handedOverBefore;
            chain.handedOverBefore = newer;
            newer = chain;
            chain = before;
        }
        int reaped = 0;
        for (chain = newer; chain != null; reaped++) {
            Chain next = chain.handedOverBefore;
            chain.handedOverBefore = null;
            end(chain);
            chain = next;
        }
        return reaped;
    }

    private Chain claim(long token) {
        int head = (int) token & (1 << HEAD_BITS) - 1;
        // A token is never one of the states that are not tokens; 0 or 1 would be.
        return token >>> HEAD_BITS != 0
                        && head < chains.length
                        && states.compareAndSet(head, token, COMPLETED)
                ? chains[head]
                : null;
    }

    private void end(Chain chain) {
        long writable = chain.writable().total();
        if (chain.written < 0 || chain.written > writable) {
            throw new AssertionError(
                    "head %d: %d bytes written to %d device-writable bytes"
                            .formatted(chain.head(), chain.written, writable));
        }
        release(chain);
        chain.ended = true;
        inFlight--;
        if (!inOrder) {
            append(chain);
        }
        if (generations.isWaiting()) {
            generations.ended(chain.token());
        }
    }

    private void append(Chain chain) {
        chain.nextUsed = null;
        if (newest == null) {
            oldest = chain;
        } else {
            newest.nextUsed = chain;
        }
        newest = chain;
    }

    /**
     * The next chain for the used ring, or null: the first that ended; in order (VIRTIO 1.3, 2.7.9,
     * 2.8.8) the first that was taken, once it has ended. Its head is the driver's again.
     */
    Chain pollUsed() {
        Chain chain = oldest;
        if (chain == null || !chain.ended) {
            return null;
        }
        oldest = chain.nextUsed;
        if (oldest == null) {
            newest = null;
        }
        chain.nextUsed = null;
        states.setRelease(chain.head(), FREE);
        return chain;
    }

    private void release(Chain chain) {
        memory.release(chain.readable());
        chain.readable().clear();
        memory.release(chain.writable());
        chain.writable().clear();
    }

    /** {@code released} runs when no chain taken until now is in flight. */
    void memoryChanged(Runnable released) {
        generations.changed(uses, inFlight, released);
    }

    /** Makes all tokens stale, and unpins what is pinned. */
    void close() {
        release(blank);
        for (int head = 0; head < chains.length; head++) {
            if (states.getAndSet(head, FREE) != FREE) {
                release(chains[head]);
            }
        }
        inFlight = 0;
        oldest = null;
        newest = null;
        generations.allEnded();
    }
}
