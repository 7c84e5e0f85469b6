package org.anyvirt.daemon.control;

import static org.assertj.core.api.Assertions.assertThat;

import org.anyvirt.daemon.configuration.Binding;
import org.anyvirt.daemon.configuration.BlockConfiguration;
import org.anyvirt.daemon.configuration.Capacity;
import org.anyvirt.daemon.configuration.StoreChoice;
import org.anyvirt.daemon.control.ControlRequest.Operation;
import org.anyvirt.daemon.serving.Daemon;
import org.anyvirt.daemon.serving.DeviceStatus;
import org.anyvirt.daemon.serving.FakeDevice;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(30)
final class ControlResponderTest {
    private static final BlockConfiguration CONFIGURATION =
            BlockConfiguration.of(
                    StoreChoice.parse("memory:1M"), Binding.parse("vhost-user:/tmp/x"), true);

    private final Daemon daemon = new Daemon(FakeDevice::start);
    private final ControlResponder responder = new ControlResponder(daemon);

    @BeforeEach
    void addADevice() throws Exception {
        daemon.add("disk0", CONFIGURATION);
    }

    @Test
    void answersAsTheDocumentationSays() {
        assertThat(responder.apply("{\"list\":{}}"))
                .isEqualTo(
                        "{\"devices\":[{\"name\":\"disk0\",\"type\":\"block\","
                                + "\"state\":\"waiting\","
                                + "\"on\":\"vhost-user:/tmp/x\",\"store\":\"memory:1M\","
                                + "\"capacity\":1048576,\"read-only\":true,"
                                + "\"counters\":{\"reads\":7},\"queues-offered\":16,"
                                + "\"queues\":[{\"index\":0,\"completed\":10,\"in-flight\":2,"
                                + "\"notifications-sent\":3,\"notifications-suppressed\":4}]}]}");
    }

    @Test
    void doesWhatItIsAsked() {
        assertThat(ask(new Operation.Resize("disk0", new Capacity(4096))).devices())
                .extracting(DeviceStatus::capacity)
                .containsExactly(4096L);
        assertThat(ask(new Operation.Add("disk1", CONFIGURATION)).devices())
                .extracting(DeviceStatus::name)
                .containsExactly("disk1");
        assertThat(ask(new Operation.Remove("disk0")).devices()).isEmpty();
        assertThat(ask(new Operation.ListDevices()).devices())
                .extracting(DeviceStatus::name)
                .containsExactly("disk1");
        assertThat(ask(new Operation.Show("disk1")).devices()).isEqualTo(daemon.list());
    }

    @Test
    void endsTheDaemon() throws InterruptedException {
        assertThat(ask(new Operation.Shutdown()).devices()).isEmpty();
        daemon.awaitShutdown();
    }

    @Test
    void takesADeviceAsTheConfigurationFileHasIt() {
        String request =
                """
                {"add": {"device": "disk1", "block": {"store": "memory:2M", "queue-size": 64,
                 "on": "vhost-user:/tmp/y", "cache": "writethrough", "poll": "never"}}}\
                """;
        assertThat(responder.apply(request)).contains("\"name\":\"disk1\"", "memory:2M");
    }

    @ParameterizedTest(name = "{0} -> {1}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
                    ``                   | expected a mapping
                    nonsense             | Unrecognized token
                    {                    | Unexpected end-of-input
                    []                   | expected a mapping
                    null                 | expected a mapping
                    {}                   | expected exactly one of list, show, resize, add, remove, shutdown
                    {"list":{},"show":{"device":"disk0"}} | expected exactly one of
                    {"list":{}} {"list":{}} | expected nothing after the mapping
                    {"lost":{}}          | unknown key 'lost': expected one of add, list, remove, resize, show, shutdown
                    {"list":{"all":1}}   | list: unknown key 'all'
                    {"show":{}}          | show.device: is missing: expected the name of a device
                    {"show":{"device":"disk9"}} | there is no device 'disk9': there is disk0
                    {"show":{"device":[1]}} | show.device: expected text
                    {"resize":{"device":"disk0"}} | resize.capacity: is missing: expected a size, like 20G
                    {"resize":{"device":"disk0","capacity":"lots"}} | resize.capacity: "lots": a multiple of 512 bytes is expected
                    {"resize":{"device":"disk0","capacity":1000}} | resize.capacity: "1000": a multiple of 512 bytes is expected
                    {"resize":{"device":"disk0","capacity":"2T"}} | that is too large
                    {"add":{"device":"disk1"}} | add.block: is missing
                    {"add":{"device":"disk1","block":{"store":"memory:1M"}}} | add.block.on: is missing: expected vhost-user:PATH
                    {"add":{"device":"disk0","block":{"store":"memory:1M","on":"vhost-user:/tmp/y"}}} | there is a device 'disk0' already
                    {"add":{"device":"impossible","block":{"store":"memory:1M","on":"vhost-user:/tmp/y"}}} | no such store
                    {"remove":{"device":"disk1"}} | there is no device 'disk1'
                    """)
    void saysWhatIsWrong(String request, String expected) {
        ControlAnswer answer = Json.readAnswer(responder.apply(request));
        assertThat(answer.devices()).isNull();
        assertThat(answer.error()).contains(expected).doesNotContain("\n", "jackson", "java.");
        assertThat(daemon.list()).hasSize(1);
    }

    @Test
    void takesNestingThatNobodyMeans() {
        assertThat(responder.apply("[".repeat(60_000))).contains("\"error\"");
        assertThat(responder.apply("{\"show\":".repeat(6_000))).contains("\"error\"");
    }

    private ControlAnswer ask(Operation operation) {
        return Json.readAnswer(responder.apply(Json.write(ControlRequest.of(operation))));
    }
}
