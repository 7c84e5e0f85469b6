package org.anyvirt.virtio.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class ConfigSpaceTest {
    private final ConfigSpace config = new ConfigSpace(new byte[] {1, 2, 3, 4}, i -> i >= 2);

    @Test
    void readsZerosBeyondTheEnd() {
        assertThat(config.read(2, 4)).containsExactly(3, 4, 0, 0);
        assertThat(config.read(4, 2)).containsExactly(0, 0);
        assertThat(config.read(Integer.MAX_VALUE, 2)).containsExactly(0, 0);
        assertThat(config.read(1, 0)).isEmpty();
    }

    @Test
    void refusesToReadAtNegativeOffsets() {
        assertThatThrownBy(() -> config.read(-1, 2)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> config.read(0, -1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void takesWritesWhereTheDriverMayWrite() {
        assertThat(config.write(2, new byte[] {8, 9})).isTrue();
        assertThat(config.read(0, 4)).containsExactly(1, 2, 8, 9);
    }

    @Test
    void takesNothingOfAWriteThatIsPartlyForbiddenOrBeyondTheEnd() {
        assertThat(config.write(1, new byte[] {8, 9})).isFalse();
        assertThat(config.write(3, new byte[] {8, 9})).isFalse();
        assertThat(config.write(-1, new byte[] {8})).isFalse();
        assertThat(config.write(Integer.MAX_VALUE, new byte[] {8})).isFalse();
        assertThat(config.write(0, new byte[5])).isFalse();
        assertThat(config.read(0, 4)).containsExactly(1, 2, 3, 4);
    }

    @Test
    void countsAGenerationForEachChangeOfTheDevice() {
        config.update(0, new byte[] {7});
        config.write(2, new byte[] {9});

        assertThat(config.generation()).isEqualTo(1);
        assertThat(config.read(0, 1)).containsExactly(7);
    }

    @Test
    void tellsTheTransportOfTheDevicesChangesUntilItStopsListening() throws Exception {
        AtomicInteger told = new AtomicInteger();
        AutoCloseable listening = config.onDeviceChange(told::incrementAndGet);

        config.update(0, new byte[] {7});
        config.write(2, new byte[] {9});
        assertThat(told).hasValue(1);

        listening.close();
        config.update(0, new byte[] {8});
        assertThat(told).hasValue(1);
    }

    @Test
    void tellsTheDeviceOfTheDriversWrites() {
        AtomicInteger told = new AtomicInteger();
        config.onDriverWrite(told::incrementAndGet);

        config.write(2, new byte[] {9});
        config.write(0, new byte[] {9});
        config.update(0, new byte[] {7});

        assertThat(told).hasValue(1);
    }
}
