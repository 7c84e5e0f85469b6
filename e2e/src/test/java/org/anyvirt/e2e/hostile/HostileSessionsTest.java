package org.anyvirt.e2e.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Thousands of random malformed sessions, on several disks of one daemon at once. Replay with
 * {@code -Danyvirt.seed=SEED}, and one session of them with {@code -Danyvirt.session=NUMBER}.
 */
@Timeout(300)
class HostileSessionsTest {
    private static final Logger LOG = System.getLogger(HostileSessionsTest.class.getName());
    private static final long SEED = Long.getLong("anyvirt.seed", System.nanoTime());
    private static final int ONLY = Integer.getInteger("anyvirt.session", -1);
    private static final int SESSIONS = 10_000;
    private static final int CHUNK = 1000;
    private static final String[] NAMES = {"left", "right"};

    @RegisterExtension static final ServedDisks DISKS = new ServedDisks("sessions", NAMES);

    @Test
    void survivesTenThousandMalformedSessions() throws Exception {
        LOG.log(Level.INFO, "-Danyvirt.seed={0}", Long.toString(SEED));
        if (ONLY >= 0) {
            run(ONLY, ONLY + 1);
            return;
        }
        for (int first = 0; first < SESSIONS; first += CHUNK) {
            try {
                run(first, first + CHUNK);
                DISKS.assertUnharmed();
            } catch (AssertionError | ExecutionException e) {
                throw new AssertionError(
                        "-Danyvirt.seed=%d, in sessions %d to %d"
                                .formatted(SEED, first, first + CHUNK - 1),
                        e);
            }
        }
    }

    /** Each disk has a thread; who takes which session is chance, but not what happens in it. */
    private static void run(int first, int end) throws Exception {
        AtomicInteger next = new AtomicInteger(first);
        List<FutureTask<Void>> running = new ArrayList<>();
        for (String disk : NAMES) {
            FutureTask<Void> task =
                    new FutureTask<>(() -> {
                        attack(disk, next, end);
                        return null;
                    });
            running.add(task);
            Thread.ofPlatform().daemon().name("attack " + disk).start(task);
        }
        for (FutureTask<Void> task : running) {
            task.get();
        }
        assertThat(next.get()).isGreaterThanOrEqualTo(end);
    }

    private static void attack(String disk, AtomicInteger next, int end) throws IOException {
        try (RandomGuest guest = new RandomGuest();
                OddDescriptors odd = new OddDescriptors()) {
            for (int i = next.getAndIncrement(); i < end; i = next.getAndIncrement()) {
                RandomSession session = new RandomSession(DISKS.socket(disk), guest, odd, SEED + i);
                try {
                    session.run();
                } catch (AssertionError e) {
                    throw new AssertionError("session " + i, e);
                }
                if (ONLY >= 0) {
                    LOG.log(Level.INFO, String.join("\n", session.story()));
                }
            }
        }
    }
}
