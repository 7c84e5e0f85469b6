package org.anyvirt.daemon.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.anyvirt.daemon.configuration.RecordReader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
final class AnyvirtCommandTest {
    @TempDir Path directory;

    /** What a command did. */
    private record Outcome(int exitCode, String out, String err) {}

    /** VHostUserBackendCapabilities of QEMU's docs/interop/vhost-user.json. */
    private record Capabilities(String type, List<String> features) {}

    private Outcome run(String line) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        String[] arguments =
                line.isBlank()
                        ? new String[0]
                        : line.replace("DIR", directory.toString()).split(" ");
        int exitCode =
                AnyvirtCommand.run(new PrintWriter(out), new PrintWriter(err, true), arguments);
        return new Outcome(exitCode, out.toString(), err.toString());
    }

    @ParameterizedTest(name = "anyvirt {0} -> {1}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
                    ``                        | what to do? serve, ctl, demo
                    nonsense                  | Unmatched argument at index 0: 'nonsense'
                    --nonsense                | Unknown option: '--nonsense'
                    test                      | only ./anyvirt of a source tree can test it
                    serve                     | what to serve? Give --config FILE, or a device
                    serve --config            | Missing required parameter for option '--config' (FILE)
                    serve net                 | Unmatched argument at index 1: 'net'
                    serve block               | Missing required options: '--store=STORE', '--on=BINDING'
                    serve block --store zero:1G | Missing required option: '--on=BINDING'
                    serve block --store zero:1G --on /x | Invalid value for option '--on': '/x': expected vhost-user:PATH
                    serve block --store zero:1G --on vhost-user: | Invalid value for option '--on': 'vhost-user:': expected the path of a socket
                    serve block --store zero:1G --on vhost-user:/x,mode=9 | expected nothing after the path but ',mode=0660' (in octal) or ',connect=on'
                    serve block --store disk.img --on vhost-user:/x | Invalid value for option '--store': store "disk.img": file:PATH, memory:SIZE or zero:SIZE is expected
                    serve block --store file:x,direkt=on --on vhost-user:/x | unknown key direkt: file takes direct, size, read-only
                    serve block --store zero:1G --on vhost-user:/x --queues many | Invalid value for option '--queues': 'many' is not an int
                    serve block --store zero:1G --on vhost-user:/x --queues 0 | --queues: '0': expected a whole number from 1 to 256
                    serve block --store zero:1G --on vhost-user:/x --queue-size 100 | --queue-size: '100': expected a power of two from 4 to 32768
                    serve block --store zero:1G --on vhost-user:/x --serial 123456789012345678901 | --serial: '123456789012345678901': expected at most 20 ASCII characters
                    serve block --store zero:1G --on vhost-user:/x --cache no | Invalid value for option '--cache': 'no': expected writeback or writethrough
                    serve block --store zero:1G --on vhost-user:/x --poll no | Invalid value for option '--poll': 'no': expected adaptive or always or never
                    serve block --store zero:1G --on vhost-user:/x --runners 17 | --runners: '17': expected a whole number from 1 to 16
                    serve block --store zero:1G --on vhost-user:/x --name a/b | --name: 'a/b': expected a name
                    block                     | Missing required option: '--blk-file=PATH'
                    block --blk-file x        | Missing required argument (specify one of these): (--socket-path=PATH | --fd=N)
                    block --blk-file x --fd 3 --socket-path y | --socket-path=PATH, --fd=N are mutually exclusive
                    block --blk-file x --fd y | Invalid value for option '--fd': 'y' is not an int
                    ctl                       | what to do? list, show, resize, add, remove or shutdown
                    ctl show                  | Missing required parameter: 'DEVICE'
                    ctl resize disk0          | Missing required parameter: 'CAPACITY'
                    ctl resize disk0 1000     | "1000": a multiple of 512 bytes is expected
                    ctl add                   | add what? anyvirt ctl add block --help
                    ctl add block             | Missing required options: '--store=STORE', '--on=BINDING'
                    """)
    void refusesWrongUsage(String line, String expected) {
        Outcome outcome = run(line);
        assertThat(outcome.err()).startsWith("anyvirt: ").contains(expected);
        assertThat(outcome.err()).doesNotContain("Exception", "\tat ");
        assertThat(outcome.err().lines().count()).isLessThanOrEqualTo(2);
        assertThat(outcome.out()).isEmpty();
        assertThat(outcome.exitCode()).isEqualTo(ExitCode.USAGE);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "serve",
                "serve block",
                "block",
                "ctl",
                "ctl list",
                "ctl show",
                "ctl resize",
                "ctl add",
                "ctl add block",
                "ctl remove",
                "ctl shutdown",
                "demo",
                "test"
            })
    void helpsWithEveryCommand(String command) {
        Outcome outcome = run(command + " --help");
        assertThat(outcome.exitCode()).isEqualTo(ExitCode.OK);
        assertThat(outcome.out()).contains("Usage: anyvirt " + command);
        assertThat(outcome.out().lines()).allMatch(line -> line.length() <= 80);
        assertThat(outcome.err()).isEmpty();
    }

    @Test
    void listsEveryExitCode() {
        assertThat(run("--help").out())
                .contains(
                        "Exit codes:", "\n  0 ", "\n  1 ", "\n  2 ", "\n  3 ", "\n  4 ", "\n  70 ");
    }

    @Test
    void printsItsVersion() {
        Outcome outcome = run("--version");
        assertThat(outcome.exitCode()).isEqualTo(ExitCode.OK);
        assertThat(outcome.out()).startsWith("anyvirt ").contains("Java 25");
    }

    /** By the specification every other argument is ignored, also one that is wrong. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "block --print-capabilities",
                "block --print-capabilities --fd=x",
                "block --blk-file /nowhere --unknown --print-capabilities"
            })
    void printsCapabilitiesAsTheSpecificationSays(String line) throws Exception {
        Outcome outcome = run(line);
        assertThat(outcome.exitCode()).isEqualTo(ExitCode.OK);
        assertThat(RecordReader.json().read(outcome.out(), Capabilities.class))
                .isEqualTo(new Capabilities("block", List.of("read-only", "blk-file")));
    }

    @Test
    void saysWhereTheConfigurationIsWrong() throws IOException {
        Files.writeString(directory.resolve("a.yaml"), "block:\n  disk0:\n    stoer: zero:1G\n");
        Outcome outcome = run("serve --config DIR/a.yaml");
        assertThat(outcome.exitCode()).isEqualTo(ExitCode.USAGE);
        assertThat(outcome.err())
                .startsWith(
                        "anyvirt: %s/a.yaml:3:5: block.disk0: unknown key".formatted(directory));
    }

    @Test
    void saysWhichFileThereIsNot() {
        Outcome outcome = run("serve --config DIR/none.yaml");
        assertThat(outcome.exitCode()).isEqualTo(ExitCode.FAILURE);
        assertThat(outcome.err())
                .isEqualTo(
                        "anyvirt: %s/none.yaml: there is no such file or directory\n"
                                .formatted(directory));
    }

    @ParameterizedTest
    @ValueSource(strings = {"list", "show x", "resize x 1G", "remove x", "shutdown"})
    void saysThatThereIsNoDaemon(String command) {
        Outcome outcome = run("ctl --control DIR/none.sock " + command);
        assertThat(outcome.exitCode()).isEqualTo(ExitCode.NO_DAEMON);
        assertThat(outcome.err())
                .startsWith("anyvirt: no daemon listens on %s/none.sock".formatted(directory));
    }

    @Test
    void refusesToServeWhatIsNotThere() {
        Outcome outcome =
                run(
                        "serve block --control none --store file:DIR/none.img"
                                + " --on vhost-user:DIR/disk.sock");
        assertThat(outcome.exitCode()).isEqualTo(ExitCode.FAILURE);
        assertThat(outcome.err()).contains("none.img: there is no such file");
        assertThat(directory).isEmptyDirectory();
    }
}
