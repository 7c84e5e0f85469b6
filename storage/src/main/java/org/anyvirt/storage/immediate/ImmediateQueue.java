package org.anyvirt.storage.immediate;

import org.anyvirt.devices.block.BlockCompletions;
import org.anyvirt.devices.block.BlockQueue;

/** For stores that are done with a request when they have begun it. Data plane. */
public abstract class ImmediateQueue implements BlockQueue {
    private final BlockCompletions completions;
    private final long[] ended;
    private final int[] errors;
    private int first;
    private int count;

    protected ImmediateQueue(int depth, BlockCompletions completions) {
        this.completions = completions;
        this.ended = new long[depth];
        this.errors = new int[depth];
    }

    /** The request has ended; {@link #reap} will say so. */
    protected final void end(long token, int error) {
        if (count == ended.length) {
            throw new AssertionError("more than " + ended.length + " requests in flight");
        }
        int at = first + count;
        at -= at < ended.length ? 0 : ended.length;
        ended[at] = token;
        errors[at] = error;
        count++;
    }

    @Override
    public final void submit() {}

    @Override
    public final int reap() {
        int reaped = 0;
        while (count > 0) {
            long token = ended[first];
            int error = errors[first];
            first = first + 1 == ended.length ? 0 : first + 1;
            count--;
            reaped++;
            completions.completed(token, error);
        }
        return reaped;
    }

    @Override
    public final int wakeFd() {
        return -1;
    }
}
