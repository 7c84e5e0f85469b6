package org.anyvirt.virtio.device;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/** A runner without a thread: it runs when the test says so, until it would sleep. */
final class StepRunner implements Runner {
    private static final int ROUNDS_MAX = 1000;

    final List<Integer> watched = new ArrayList<>();
    final List<Turn> turns = new ArrayList<>();
    private final ArrayDeque<Runnable> commands = new ArrayDeque<>();
    private boolean woken;
    private int refusedFd = -1;

    /** From now on {@code fd} cannot be watched. */
    void refuse(int fd) {
        refusedFd = fd;
    }

    /** Runs as a runner does that has just been woken, until all turns let it sleep. */
    void run() {
        for (int round = 0; round < ROUNDS_MAX; round++) {
            woken = false;
            while (!commands.isEmpty()) {
                commands.remove().run();
            }
            int work = 0;
            for (Turn turn : List.copyOf(turns)) {
                try {
                    work += turn.run();
                } catch (Throwable e) {
                    turn.failed(e);
                }
            }
            if (work == 0 && !woken && maySleep()) {
                return;
            }
        }
        throw new AssertionError("does not come to rest");
    }

    private boolean maySleep() {
        boolean may = true;
        for (Turn turn : List.copyOf(turns)) {
            try {
                may &= turn.maySleep();
            } catch (Throwable e) {
                turn.failed(e);
                may = false;
            }
        }
        return may;
    }

    @Override
    public void execute(Runnable command) {
        commands.add(command);
    }

    @Override
    public void attach(Turn turn) {
        turns.add(turn);
    }

    @Override
    public void detach(Turn turn) {
        turns.remove(turn);
    }

    @Override
    public void watch(int fd) {
        if (fd == refusedFd) {
            throw new IllegalArgumentException("cannot watch " + fd);
        }
        watched.add(fd);
    }

    @Override
    public void unwatch(int fd) {
        watched.remove((Integer) fd);
    }

    @Override
    public void wake() {
        woken = true;
    }
}
