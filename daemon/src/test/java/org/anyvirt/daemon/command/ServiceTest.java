package org.anyvirt.daemon.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.anyvirt.daemon.control.ControlConnection;
import org.anyvirt.daemon.control.ControlRequest.Operation;
import org.anyvirt.daemon.serving.DeviceStatus;
import org.anyvirt.daemon.serving.DeviceStatus.QueueStatus;
import org.anyvirt.daemon.serving.DeviceStatus.State;
import org.anyvirt.driver.block.BlockDriver;
import org.anyvirt.driver.block.BlockLoad;
import org.anyvirt.driver.block.BlockOptions;
import org.anyvirt.driver.block.LoadPlan;
import org.anyvirt.driver.block.LoadResult;
import org.anyvirt.driver.memory.GuestMemory;
import org.anyvirt.driver.vhostuser.VhostUserDevice;
import org.anyvirt.driver.vhostuser.VhostUserOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The daemon as a process of its own: its start, its life under control, its end. */
@Timeout(90)
final class ServiceTest {
    private static final int SIZE = 8 << 20;

    @TempDir Path directory;

    private Path at(String name) {
        return directory.resolve(name);
    }

    private DaemonProcess serve(String... more) throws IOException {
        String[] arguments = {
            "serve",
            "block",
            "--store",
            "file:" + at("disk.img") + ",size=8M",
            "--on",
            "vhost-user:" + at("disk.sock"),
            "--control",
            at("control.sock").toString()
        };
        String[] all = Arrays.copyOf(arguments, arguments.length + more.length);
        System.arraycopy(more, 0, all, arguments.length, more.length);
        return DaemonProcess.start(at("log"), all);
    }

    private BlockDriver drive(String socket) throws IOException {
        return BlockDriver.start(
                VhostUserDevice.connect(
                        at(socket), GuestMemory.ofSize(32 << 20), VhostUserOptions.DEFAULT),
                BlockOptions.defaults());
    }

    /** As by a shell's background job; a child inherits it, and the JVM respects it. */
    private static boolean isIgnored(int signal) throws IOException {
        String mask =
                Files.readAllLines(Path.of("/proc/self/status")).stream()
                        .filter(line -> line.startsWith("SigIgn:"))
                        .findFirst()
                        .orElseThrow();
        return (Long.parseUnsignedLong(mask.substring(7).strip(), 16) >>> (signal - 1) & 1) != 0;
    }

    @ParameterizedTest
    @CsvSource({"TERM, 15", "INT, 2", "HUP, 1"})
    void endsInOrderOnASignalWhileADriverWrites(String signal, int number) throws Exception {
        assumeThat(isIgnored(number))
                .as("SIG%s is ignored in whatever these tests were started from", signal)
                .isFalse();
        try (DaemonProcess daemon = serve().awaitLog("ready");
                BlockDriver driver = drive("disk.sock")) {
            byte[] written = new byte[1 << 20];
            Arrays.fill(written, (byte) 0x5a);
            driver.disk().write(0, written);
            new ProcessBuilder("kill", "-" + signal, Long.toString(daemon.process().pid()))
                    .start()
                    .waitFor();
            assertThat(daemon.awaitEnd()).isZero();
            assertThat(at("disk.sock")).doesNotExist();
            assertThat(at("control.sock")).doesNotExist();
            assertThat(daemon.log()).contains("asked to end").endsWith("ended\n");
            byte[] file = Files.readAllBytes(at("disk.img"));
            assertThat(Arrays.copyOf(file, written.length)).isEqualTo(written);
        }
    }

    @Test
    void logsOneLineATime() throws Exception {
        try (DaemonProcess daemon = serve("--name", "vda").awaitLog("ready")) {
            assertThat(daemon.log().lines())
                    .allMatch(line -> line.matches("\\d{4}-\\d\\d-\\d\\d [\\d:.]{12} INFO  .*"))
                    .anyMatch(line -> line.contains(" vda: file:"));
        }
    }

    @Test
    void takesTheSocketsOfADaemonThatWasKilled() throws Exception {
        try (DaemonProcess killed = serve().awaitLog("ready")) {
            killed.kill();
        }
        assertThat(at("disk.sock")).exists();
        assertThat(at("control.sock")).exists();
        try (DaemonProcess next = serve().awaitLog("ready");
                BlockDriver driver = drive("disk.sock")) {
            driver.disk().write(0, new byte[512]);
            assertThat(list()).singleElement().matches(disk -> disk.state() == State.CONNECTED);
            assertThat(next.process().isAlive()).isTrue();
        }
    }

    @Test
    void refusesASocketThatIsListenedOn() throws Exception {
        try (ServerSocketChannel other = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            other.bind(UnixDomainSocketAddress.of(at("disk.sock")));
            try (DaemonProcess daemon = serve()) {
                assertThat(daemon.awaitEnd()).isEqualTo(ExitCode.FAILURE);
                assertThat(daemon.log()).contains("disk.sock: another process listens on it");
            }
            assertThat(at("disk.sock")).exists();
        }
    }

    @Test
    void refusesASecondWriterOfAFile() throws Exception {
        try (DaemonProcess first = serve().awaitLog("ready");
                DaemonProcess second =
                        DaemonProcess.start(
                                at("log2"),
                                "block",
                                "--blk-file=" + at("disk.img"),
                                "--socket-path=" + at("second.sock"))) {
            assertThat(second.awaitEnd()).isEqualTo(ExitCode.FAILURE);
            assertThat(second.log()).contains("disk.img: another process has it open");
            assertThat(at("second.sock")).doesNotExist();
            assertThat(first.process().isAlive()).isTrue();
        }
    }

    @Test
    void refusesTheSameFileTwiceInOneConfiguration() throws Exception {
        Files.writeString(
                at("two.yaml"),
                """
                control: none
                block:
                  one: {store: "file:DIR/disk.img,size=8M", on: vhost-user:DIR/one.sock}
                  two: {store: "file:DIR/disk.img", on: vhost-user:DIR/two.sock}
                """
                        .replace("DIR", directory.toString()));
        try (DaemonProcess daemon =
                DaemonProcess.start(at("log"), "serve", "--config", at("two.yaml").toString())) {
            assertThat(daemon.awaitEnd()).isEqualTo(ExitCode.FAILURE);
            assertThat(daemon.log())
                    .contains("two.yaml:4:3: block.two: file:", "another process has it open");
            assertThat(at("one.sock")).doesNotExist();
            assertThat(at("two.sock")).doesNotExist();
        }
    }

    @Test
    void servesTheDevicesOfAConfiguration() throws Exception {
        Files.writeString(
                at("two.yaml"),
                """
                control: DIR/control.sock
                block:
                  one: {store: memory:8M, on: vhost-user:DIR/one.sock}
                  two: {store: zero:1T, on: "vhost-user:DIR/two.sock,mode=0660", read-only: true}
                """
                        .replace("DIR", directory.toString()));
        try (DaemonProcess daemon =
                DaemonProcess.start(at("log"), "serve", "--config", at("two.yaml").toString())) {
            daemon.awaitLog("ready");
            assertThat(list()).extracting(DeviceStatus::name).containsExactly("one", "two");
            assertThat(list().getLast().readOnly()).isTrue();
            assertThat(Files.getPosixFilePermissions(at("two.sock"))).hasSize(4);
            try (BlockDriver driver = drive("one.sock")) {
                assertThat(driver.disk().id()).isEqualTo("one");
                driver.disk().write(4096, new byte[4096]);
            }
        }
    }

    @Test
    void staysInTheForegroundAndIsQuietAsABackendProgram() throws Exception {
        Files.write(at("disk.img"), new byte[SIZE]);
        try (DaemonProcess backend =
                DaemonProcess.start(
                        at("log"),
                        "block",
                        "--read-only",
                        "--blk-file=" + at("disk.img"),
                        "--socket-path=" + at("disk.sock"))) {
            backend.awaitLog("ready");
            try (BlockDriver driver = drive("disk.sock")) {
                assertThat(driver.disk().read(0, 512)).containsOnly(0);
                assertThat(driver.config().capacity()).isEqualTo(SIZE / 512);
            }
            backend.process().destroy();
            assertThat(backend.awaitEnd()).isZero();
            assertThat(at("disk.sock")).doesNotExist();
        }
    }

    @Test
    void changesItsDevicesUnderLoad() throws Exception {
        try (DaemonProcess daemon = serve().awaitLog("ready");
                BlockDriver driver = drive("disk.sock")) {
            CountDownLatch resized = new CountDownLatch(1);
            driver.device().onConfigChange(resized::countDown);
            Thread load =
                    Thread.ofPlatform()
                            .start(() ->
                                    new BlockLoad(
                                                    LoadPlan.random(50, 4096, 16, SIZE)
                                                            .withMillis(2000),
                                                    driver.queue(0))
                                            .run());
            assertThat(control("resize disk0 16M")).contains("16M");
            assertThat(resized.await(20, TimeUnit.SECONDS)).isTrue();
            assertThat(driver.config().capacity()).isEqualTo(2 * SIZE / 512);
            String add = "add block --name more --store memory:1M --on vhost-user:%s/more.sock";
            assertThat(control(add.formatted(directory))).contains("more", "waiting");
            assertThat(at("more.sock")).exists();
            assertThat(control("list")).contains("disk0", "connected", "more");
            assertThat(control("show disk0")).contains("reads", "QUEUE", "started");
            assertThat(control("remove more")).isEmpty();
            assertThat(at("more.sock")).doesNotExist();
            load.join();
            assertThat(control("--json list")).contains("\"state\" : \"connected\"");
            assertThat(control("shutdown")).isEmpty();
            assertThat(daemon.awaitEnd()).isZero();
        }
    }

    @Test
    void removesADeviceWhoseDriverDoesNotStop() throws Exception {
        try (DaemonProcess daemon = serve().awaitLog("ready");
                BlockDriver driver = drive("disk.sock")) {
            LoadPlan plan = LoadPlan.random(0, 4096, 32, SIZE).withMillis(60_000);
            FutureTask<LoadResult> load =
                    new FutureTask<>(() -> new BlockLoad(plan, driver.queue(0)).run());
            Thread.ofPlatform().daemon().start(load);
            awaitCompleted(1000);
            assertThat(control("remove disk0")).isEmpty();
            assertThat(at("disk.sock")).doesNotExist();
            assertThatThrownBy(load::get).hasRootCauseMessage("the backend has gone");
            assertThat(list()).isEmpty();
            String add =
                    "add block --name disk0 --store file:%s/disk.img --on vhost-user:%s/2.sock";
            control(add.formatted(directory, directory));
            try (BlockDriver next = drive("2.sock")) {
                next.disk().write(0, new byte[4096]);
            }
            assertThat(daemon.process().isAlive()).isTrue();
        }
    }

    private void awaitCompleted(long requests) throws IOException {
        long completed = 0;
        while (completed < requests) {
            completed = list().getFirst().queues().stream().mapToLong(QueueStatus::completed).sum();
        }
    }

    private String control(String line) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        String all = "ctl --control %s %s".formatted(at("control.sock"), line);
        int exitCode =
                AnyvirtCommand.run(
                        new PrintWriter(out), new PrintWriter(err, true), all.split(" "));
        assertThat(exitCode).as(err.toString()).isZero();
        return out.toString();
    }

    private List<DeviceStatus> list() throws IOException {
        try (ControlConnection connection = ControlConnection.open(at("control.sock"), 10_000)) {
            return connection.ask(new Operation.ListDevices()).devices();
        }
    }
}
