package org.anyvirt.daemon.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;
import org.anyvirt.daemon.configuration.Binding;
import org.anyvirt.daemon.configuration.BlockConfiguration;
import org.anyvirt.daemon.configuration.StoreChoice;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(30)
final class DaemonTest {
    private static final BlockConfiguration ANY =
            BlockConfiguration.of(
                    StoreChoice.parse("memory:1M"), Binding.parse("vhost-user:/tmp/x"), false);

    private final List<FakeDevice> started = new ArrayList<>();
    private final Daemon daemon =
            new Daemon((name, configuration) -> {
                FakeDevice device = FakeDevice.start(name, configuration);
                started.add(device);
                return device;
            });

    @Test
    void keepsDevicesInTheOrderInWhichTheyCame() throws Exception {
        daemon.add("b", ANY);
        daemon.add("a", ANY);
        daemon.add("c", ANY);
        daemon.remove("a");
        assertThat(daemon.list()).extracting(DeviceStatus::name).containsExactly("b", "c");
        assertThat(started).extracting(FakeDevice::isClosed).containsExactly(false, true, false);
    }

    @Test
    void refusesANameTwice() throws Exception {
        daemon.add("a", ANY);
        assertThatThrownBy(() -> daemon.add("a", ANY))
                .isInstanceOf(RefusedException.class)
                .hasMessage("there is a device 'a' already");
        assertThat(started).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-a", "a/b", "a b", "a\nb", "ä"})
    void refusesANameThatDoesNotFitIntoALogLine(String name) {
        assertThatThrownBy(() -> daemon.add(name, ANY))
                .isInstanceOf(RefusedException.class)
                .hasMessageContaining("expected a name");
    }

    @Test
    void saysWhichDevicesThereAre() throws Exception {
        assertThatThrownBy(() -> daemon.show("x")).hasMessage("there is no device 'x', nor any");
        daemon.add("a", ANY);
        daemon.add("b", ANY);
        assertThatThrownBy(() -> daemon.resize("x", 512))
                .isInstanceOf(RefusedException.class)
                .hasMessage("there is no device 'x': there is a, b");
    }

    @Test
    void forgetsADeviceThatDoesNotStart() throws Exception {
        assertThatThrownBy(() -> daemon.add("impossible", ANY)).isInstanceOf(IOException.class);
        assertThat(daemon.list()).isEmpty();
    }

    @Test
    void aNameIsFreeAgainAfterItsDeviceHasGone() throws Exception {
        daemon.add("a", ANY);
        daemon.remove("a");
        daemon.add("a", ANY);
        assertThat(daemon.list()).hasSize(1);
    }

    @Test
    void closesAllDevicesAndThenTakesNone() throws Exception {
        daemon.add("a", ANY);
        daemon.add("b", ANY);
        daemon.close();
        daemon.awaitShutdown();
        assertThat(started).allMatch(FakeDevice::isClosed);
        assertThatThrownBy(() -> daemon.add("c", ANY)).hasMessage("the daemon is shutting down");
    }

    @Test
    void closesTheOthersWhenOneDoesNotClose() throws Exception {
        daemon.add("stuck", ANY);
        daemon.add("a", ANY);
        assertThatThrownBy(() -> daemon.close(300))
                .isInstanceOf(TimeoutException.class)
                .hasMessage("not closed in time: stuck");
        assertThat(started).extracting(FakeDevice::isClosed).containsExactly(false, true);
        started.getFirst().mayClose();
    }

    @Test
    void closesTheOthersWhenOneFailsToClose() throws Exception {
        daemon.add("lossy", ANY);
        daemon.add("a", ANY);
        assertThatThrownBy(daemon::close)
                .isInstanceOf(IOException.class)
                .hasMessage("lossy: fsync: EIO");
        assertThat(started).allMatch(FakeDevice::isClosed);
    }

    @Test
    void canBeLookedAtWhileADeviceGoes() throws Exception {
        daemon.add("stuck", ANY);
        daemon.add("a", ANY);
        CompletableFuture<Void> removal =
                CompletableFuture.runAsync(() -> {
                    try {
                        daemon.remove("stuck");
                    } catch (IOException | RefusedException e) {
                        throw new AssertionError(e);
                    }
                });
        while (daemon.list().size() > 1) {
            Thread.yield();
        }
        assertThat(removal).isNotDone();
        assertThat(daemon.show("a").capacity()).isEqualTo(1 << 20);
        started.getFirst().mayClose();
        removal.join();
    }
}
