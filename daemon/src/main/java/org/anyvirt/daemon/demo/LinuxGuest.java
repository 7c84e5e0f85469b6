package org.anyvirt.daemon.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A Linux in QEMU, with a vhost-user disk, and a shell on its second serial port, which is QEMU's
 * standard input and output.
 */
final class LinuxGuest implements AutoCloseable {
    private static final String MEMORY = "512M";

    private final Process process;
    private final Path log;
    private final BufferedReader output;
    private final String qemu;
    private final String kernel;

    private LinuxGuest(Process process, Path log, String qemu) throws IOException {
        this.process = process;
        this.log = log;
        this.qemu = qemu;
        this.output = process.inputReader(StandardCharsets.UTF_8);
        this.kernel = await("#ready ");
    }

    /**
     * Boots one, and waits for its shell.
     *
     * @param log where QEMU's messages and the console go
     * @param seconds its life; then it is killed
     */
    static LinuxGuest boot(GuestImage image, Path socket, Path log, int seconds)
            throws IOException {
        String version = version();
        Process process =
                new ProcessBuilder(command(image, socket, log))
                        .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
                        .start();
        CompletableFuture.delayedExecutor(seconds, TimeUnit.SECONDS)
                .execute(process::destroyForcibly);
        try {
            return new LinuxGuest(process, log, version);
        } catch (IOException e) {
            process.destroyForcibly();
            throw e;
        }
    }

    private static List<String> command(GuestImage image, Path socket, Path log) {
        List<String> command = new ArrayList<>(List.of("qemu-system-x86_64", "-nodefaults"));
        // Emulated: it boots in seconds, and KVM within a virtual machine does not always work.
        command.addAll(List.of("-machine", "q35,accel=tcg"));
        command.addAll(List.of("-cpu", "max", "-m", MEMORY, "-nic", "none", "-display", "none"));
        command.addAll(List.of("-object", "memory-backend-memfd,id=m,share=on,size=" + MEMORY));
        command.addAll(List.of("-numa", "node,memdev=m"));
        command.addAll(List.of("-serial", "file:" + log));
        command.addAll(List.of("-chardev", "stdio,id=shell,signal=off"));
        command.addAll(List.of("-serial", "chardev:shell"));
        command.addAll(List.of("-kernel", image.kernel().toString()));
        command.addAll(List.of("-initrd", image.initrd().toString()));
        command.addAll(List.of("-append", "console=ttyS0 quiet panic=-1", "-no-reboot"));
        command.addAll(List.of("-chardev", "socket,id=disk,path=" + socket));
        command.addAll(List.of("-device", "vhost-user-blk-pci,chardev=disk,num-queues=1"));
        return command;
    }

    private static String version() throws IOException {
        Process process = new ProcessBuilder("qemu-system-x86_64", "--version").start();
        try (BufferedReader reader = process.inputReader()) {
            String line = reader.readLine();
            return line == null
                    ? "QEMU"
                    : line.replaceAll("QEMU emulator version ([^ (]+).*", "QEMU $1");
        }
    }

    String kernel() {
        return kernel;
    }

    String qemu() {
        return qemu;
    }

    /**
     * Runs a script under `sh -eu` as root.
     *
     * @return what it printed
     * @throws IOException when it failed, or the guest has ended
     */
    String run(String script) throws IOException {
        process.outputWriter().write(script + "\n#run\n");
        process.outputWriter().flush();
        List<String> lines = new ArrayList<>();
        String status = await("#exit ", lines);
        String text = String.join("\n", lines).strip();
        if (!status.equals("0")) {
            throw new IOException("in the guest, status %s: %s".formatted(status, text));
        }
        return text;
    }

    private String await(String prefix) throws IOException {
        return await(prefix, new ArrayList<>());
    }

    /** Reads up to a line with this prefix, and returns the rest of that line. */
    private String await(String prefix, List<String> before) throws IOException {
        for (String line = output.readLine(); line != null; line = output.readLine()) {
            if (line.startsWith(prefix)) {
                return line.substring(prefix.length()).strip();
            }
            before.add(line);
        }
        throw new IOException("the guest has ended too early: " + lastWords());
    }

    private String lastWords() {
        try {
            String text = Files.readString(log, StandardCharsets.ISO_8859_1);
            return text.substring(Math.max(0, text.length() - 1000)).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        process.destroyForcibly().onExit().join();
    }
}
