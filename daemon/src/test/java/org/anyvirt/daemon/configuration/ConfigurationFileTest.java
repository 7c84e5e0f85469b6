package org.anyvirt.daemon.configuration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ConfigurationFileTest {
    private static final String GOOD =
            """
            control: /run/one/control.sock
            block:
              system:
                store: file:system.img
                on: vhost-user:/run/vm0/system.sock
                queues: 4
                queue-size: 256
                serial: 0042
                poll: never
                read-only: true
                cache: writethrough
                runners: 2
              data:
                store: memory:1G
                on: vhost-user:/run/vm0/data.sock
            """;

    @TempDir Path directory;

    @Test
    void readsEveryProperty() throws Exception {
        Configuration configuration = read(GOOD).configuration();
        assertThat(configuration.control().path()).isEqualTo(Path.of("/run/one/control.sock"));
        assertThat(configuration.block().keySet()).containsExactly("system", "data");
        assertThat(configuration.block().get("system"))
                .isEqualTo(
                        new BlockConfiguration(
                                StoreChoice.parse("file:system.img"),
                                Binding.parse("vhost-user:/run/vm0/system.sock"),
                                4,
                                256,
                                "0042",
                                true,
                                CacheMode.WRITETHROUGH,
                                2,
                                Polling.NEVER));
    }

    @Test
    void fillsInWhatIsAbsent() throws Exception {
        BlockConfiguration data = read(GOOD).configuration().block().get("data");
        assertThat(data.queues()).isEqualTo(16);
        assertThat(data.queueSize()).isEqualTo(1024);
        assertThat(data.serial()).isEmpty();
        assertThat(data.poll()).isEqualTo(Polling.ADAPTIVE);
        assertThat(data.readOnly()).isFalse();
        assertThat(data.cache()).isEqualTo(CacheMode.WRITEBACK);
        assertThat(data.runners()).isOne();
    }

    /** Each row edits the good file at one place; {@code ~} stands for the end of a line. */
    @ParameterizedTest(name = "{0} -> {1}")
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    queues: 4            | queues: four       | 6:13: block.system.queues: 'four': expected a whole number
                    queues: 4            | queues: 0          | 6:13: block.system.queues: '0': expected a whole number from 1 to 256
                    queues: 4            | queues: 4.5        | 6:13: block.system.queues: '4.5': expected a whole number
                    queues: 4            | queues: [1]        | 6:13: block.system.queues: expected a whole number
                    queues: 4            | queues: 99999999999| 6:13: block.system.queues: '99999999999': expected a whole number
                    queues: 4            | queue: 4           | 6:5: block.system: unknown key 'queue': expected one of cache, on, poll, queue-size, queues, read-only, runners, serial, store
                    queue-size: 256      | queue-size: 257    | 7:17: block.system.queue-size: '257': expected a power of two from 4 to 32768
                    serial: 0042         | serial: 012345678901234567890 | 8:13: block.system.serial: '012345678901234567890': expected at most 20 ASCII characters
                    read-only: true      | read-only: maybe   | 10:16: block.system.read-only: 'maybe': expected true or false
                    poll: never          | poll: sometimes    | 9:11: block.system.poll: 'sometimes': expected adaptive or always or never
                    memory:1G            | memory:1Q          | 14:12: block.data.store: store "memory:1Q": "1Q": a multiple of 512 bytes is expected
                    memory:1G            | memory:1G,x=1      | 14:12: block.data.store: store "memory:1G,x=1": unknown key x: memory takes none
                    cache: writethrough  | cache: none        | 11:12: block.system.cache: 'none': expected writeback or writethrough
                    runners: 2           | runners: 5         | 12:14: block.system.runners: '5': expected a whole number from 1 to 4
                    store: file:system.img | stores: file:system.img | 4:5: block.system: unknown key 'stores'
                    ~    store: file:system.img |             | 3:3: block.system.store: is missing: expected file:PATH, memory:SIZE or zero:SIZE
                    on: vhost-user:/run/vm0/system.sock | on: /run/vm0/system.sock | 5:9: block.system.on: '/run/vm0/system.sock': expected vhost-user:PATH
                    data.sock            | system.sock        | 15:9: block.data.on: 'vhost-user:/run/vm0/system.sock': device system has this socket already
                    data.sock            | ./system.sock      | 15:9: block.data.on: 'vhost-user:/run/vm0/./system.sock': device system has this socket already
                    data:                | system:            | 13:3: block: 'system' is there twice
                    data:                | -data:             | 13:3: block: '-data': expected a name of 1 to 64 letters
                    block:               | blocks:            | 2:1: unknown key 'blocks': expected one of block, control
                    control: /run/one/control.sock | control: [] | 1:10: control: expected text
                    memory:1G            | "memory:1G         | 14:
                    """)
    void saysWhereAndWhatIsWrong(String before, String after, String expected) {
        String text = GOOD.replace(unescape(before), after == null ? "" : unescape(after));
        assertThat(text).isNotEqualTo(GOOD);
        assertThatThrownBy(() -> read(text))
                .isInstanceOf(ConfigurationException.class)
                .message()
                .startsWith(directory.resolve("test.yaml") + ":" + expected)
                .doesNotContain("\n", "jackson");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    ''        | 1:1: expected a mapping
                    control: none | 1:1: no device: expected 'block:' with one at least
                    42        | 1:1: '42': expected a mapping
                    []        | 1:1: expected a mapping
                    block: {} | 1:1: no device
                    block: {disk0: } | 1:9: block.disk0: expected a mapping
                    """)
    void refusesWhatHoldsNoDevice(String text, String expected) {
        assertThatThrownBy(() -> read(text))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageStartingWith(directory.resolve("test.yaml") + ":" + expected);
    }

    @ParameterizedTest
    @ValueSource(strings = {"two-disks.yaml", "many-options.yaml"})
    void readsTheExamplesOfTheDocumentation(String example) throws Exception {
        Path file = Path.of("..", "docs", "examples", example);
        assertThat(ConfigurationFile.read(file).configuration().block()).hasSize(2);
    }

    @Test
    void refusesBytesThatAreNotText() throws IOException {
        Path file = directory.resolve("test.yaml");
        Files.write(file, new byte[] {'a', ':', (byte) 0xff});
        assertThatThrownBy(() -> ConfigurationFile.read(file))
                .hasMessage(file + ":1:1: is not UTF-8 text");
    }

    private ConfigurationFile read(String text) throws IOException, ConfigurationException {
        return ConfigurationFile.read(Files.writeString(directory.resolve("test.yaml"), text));
    }

    private static String unescape(String text) {
        return text.replace("~", "\n");
    }
}
