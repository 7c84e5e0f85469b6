package org.anyvirt.e2e.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.anyvirt.e2e.guest.AnyvirtDaemon;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Disks of one daemon, which is a process of its own, for the tests of a class to attack. After
 * each test the daemon must be up, hold no more than before, and serve an honest driver, who must
 * find what was on the disk before.
 */
final class ServedDisks
        implements BeforeAllCallback, BeforeEachCallback, AfterEachCallback, AfterAllCallback {
    static final long CAPACITY = 64 << 20;

    /** So many looks, one or two to a millisecond, at the same. */
    private static final int STILL = 100;

    private final String name;
    private final String[] disks;
    private final Set<String> inFiles = new HashSet<>();
    private List<String> jvm = List.of();
    private AnyvirtDaemon daemon;
    private ProcessHoldings idle;
    private int logRead;

    /**
     * @param name of the daemon's log
     * @param disks each in the memory of the daemon, with 4 queues
     */
    ServedDisks(String name, String... disks) {
        this.name = name;
        this.disks = disks;
    }

    /** Puts a disk into a file. */
    ServedDisks withFile(String disk) {
        inFiles.add(disk);
        return this;
    }

    private String store(String disk) {
        return inFiles.contains(disk)
                ? "file:SOCKETS/%s.img,size=%d".formatted(disk, CAPACITY)
                : "memory:" + CAPACITY;
    }

    /** Gives the daemon's JVM more flags. */
    ServedDisks withJvm(String... flags) {
        jvm = List.of(flags);
        return this;
    }

    @Override
    public void beforeAll(ExtensionContext context) throws IOException {
        StringBuilder block = new StringBuilder();
        for (String disk : disks) {
            block.append(
                    """
                    %s:
                      store: %s
                      on: vhost-user:SOCKETS/%s
                      queues: 4
                    """
                            .formatted(disk, store(disk), disk));
        }
        daemon = AnyvirtDaemon.serve(jvm, "hostile-" + name, block.toString(), disks);
        for (String disk : disks) {
            HonestSession.fill(socket(disk));
        }
        idle = idle();
    }

    @Override
    public void beforeEach(ExtensionContext context) throws IOException {
        logRead = daemon.log().length();
    }

    @Override
    public void afterEach(ExtensionContext context) throws IOException {
        assertUnharmed();
    }

    @Override
    public void afterAll(ExtensionContext context) throws IOException {
        if (daemon != null) {
            daemon.close();
        }
    }

    Path socket(String disk) {
        return daemon.socket(disk);
    }

    /** What the daemon has logged since the test began. */
    String log() throws IOException {
        return daemon.log().substring(logRead);
    }

    /** Waits for a line of the log that has all these parts. */
    void awaitLogged(String... parts) throws IOException {
        assertThat(Patience.until(() -> isLogged(parts)))
                .as("a line of the log with %s; logged was%n%s", String.join(" and ", parts), log())
                .isTrue();
    }

    private boolean isLogged(String... parts) throws IOException {
        return log().lines().anyMatch(line -> Stream.of(parts).allMatch(line::contains));
    }

    /** The daemon is up, serves an honest driver on each disk, and holds what it held when idle. */
    void assertUnharmed() throws IOException {
        for (String disk : disks) {
            assertThat(daemon.isAlive()).as("the daemon is up; logged was%n%s", log()).isTrue();
            HonestSession.check(socket(disk));
        }
        ProcessHoldings now = settled(idle);
        assertThat(now).as("what the daemon holds when nobody is there").isEqualTo(idle);
        assertThat(log())
                .as("the log tells of no defect of the daemon")
                .doesNotContain("AssertionError", "NullPointer", "IndexOutOfBounds", "a defect");
    }

    /** What the daemon holds when nobody has been there for a while, twice. */
    private ProcessHoldings idle() throws IOException {
        ProcessHoldings before = settled(null);
        while (true) {
            for (String disk : disks) {
                HonestSession.check(socket(disk));
            }
            ProcessHoldings now = settled(null);
            if (now.equals(before)) {
                return now;
            }
            before = now;
        }
    }

    /**
     * Looks until all is as {@code expected}, or, when that is null, until nothing has changed for
     * a while; or until patience ends.
     */
    private ProcessHoldings settled(ProcessHoldings expected) throws IOException {
        ProcessHoldings[] last = {null};
        int[] unchanged = {0};
        Patience.until(() -> {
            ProcessHoldings now = holdings();
            unchanged[0] = now.equals(last[0]) ? unchanged[0] + 1 : 0;
            last[0] = now;
            return expected == null ? unchanged[0] == STILL : now.equals(expected);
        });
        return last[0];
    }

    /** What the daemon holds now. */
    ProcessHoldings holdings() throws IOException {
        return ProcessHoldings.of(daemon.pid());
    }
}
