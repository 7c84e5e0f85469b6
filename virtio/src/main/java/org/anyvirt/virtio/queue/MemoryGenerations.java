package org.anyvirt.virtio.queue;

import java.util.ArrayList;
import java.util.List;

/**
 * Who waits until chains taken before a change of the memory have ended. All on the owner's thread.
 *
 * <p>Tokens grow, so that a token tells on which side of a change its chain was taken.
 */
final class MemoryGenerations {
    private final List<Change> changes = new ArrayList<>();

    /**
     * The memory changes now.
     *
     * @param firstAfter no smaller than any token given before, no greater than any given later
     * @param inFlight the chains taken before that have not ended
     */
    void changed(long firstAfter, int inFlight, Runnable released) {
        if (inFlight == 0) {
            released.run();
        } else {
            changes.add(new Change(firstAfter, inFlight, released));
        }
    }

    boolean isWaiting() {
        return !changes.isEmpty();
    }

    void ended(long token) {
        for (int i = 0; i < changes.size(); i++) {
            Change change = changes.get(i);
            // The difference stays right when tokens come round.
            if (token - change.firstAfter < 0) {
                change.inFlight--;
            }
        }
        // Those that end with one chain are a prefix, in the order of the changes.
        while (!changes.isEmpty() && changes.getFirst().inFlight == 0) {
            changes.removeFirst().released.run();
        }
    }

    void allEnded() {
        while (!changes.isEmpty()) {
            changes.removeFirst().released.run();
        }
    }

    private static final class Change {
        private final long firstAfter;
        private final Runnable released;
        private int inFlight;

        Change(long firstAfter, int inFlight, Runnable released) {
            this.firstAfter = firstAfter;
            this.inFlight = inFlight;
            this.released = released;
        }
    }
}
