package org.anyvirt.transports.runner;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.anyvirt.virtio.device.Runner;

/** The runners of one device. Control plane. */
public final class RunnerPool implements AutoCloseable {
    private final List<EpollRunner> runners = new ArrayList<>();

    /**
     * Starts the runners.
     *
     * @param name the device's; the threads are called after it
     * @param count at least 1
     */
    public RunnerPool(String name, int count, long spinNanos) throws IOException {
        try {
            for (int i = 0; i < count; i++) {
                runners.add(new EpollRunner(name + " runner " + i, spinNanos));
            }
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    public List<Runner> runners() {
        return List.copyOf(runners);
    }

    @Override
    public void close() {
        runners.forEach(EpollRunner::close);
    }
}
