package org.anyvirt.e2e.guest;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A FAT filesystem from which UEFI firmware boots: its shell runs `startup.nsh`, which starts the
 * kernel, an EFI program itself, with an initramfs beside it.
 */
public final class SystemPartition {
    private static final Duration DEADLINE = Duration.ofSeconds(60);

    private SystemPartition() {}

    /**
     * Makes one.
     *
     * @param token the content of the file `token`
     */
    public static void create(Path disk, long size, String token) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(disk.toFile(), "rw")) {
            file.setLength(0);
            file.setLength(size);
        }
        GuestImage image = GuestImage.get();
        Path folder = Places.shortFolder();
        Path startup = folder.resolve("startup.nsh");
        Path tokenFile = folder.resolve("token");
        String command = "vmlinuz.efi " + Machine.KERNEL_OPTIONS + " efi=1 initrd=\\initrd";
        Files.writeString(startup, "fs0:\r\n" + command + "\r\n");
        Files.writeString(tokenFile, token);
        tool("mformat", "-i", disk.toString(), "-F", "::");
        copy(disk, startup, "startup.nsh");
        copy(disk, tokenFile, "token");
        copy(disk, image.kernel(), "vmlinuz.efi");
        copy(disk, image.initrd(), "initrd");
        Places.delete(folder);
    }

    /** The text of a file in it. */
    public static String read(Path disk, String name) throws IOException {
        Path folder = Places.shortFolder();
        Path file = folder.resolve(name);
        tool("mcopy", "-n", "-i", disk.toString(), "::" + name, file.toString());
        String text = Files.readString(file).strip();
        Places.delete(folder);
        return text;
    }

    private static void copy(Path disk, Path file, String name) throws IOException {
        tool("mcopy", "-i", disk.toString(), file.toString(), "::" + name);
    }

    private static void tool(String... command) throws IOException {
        Path log = Places.logs().resolve("mtools.log");
        try (Child child = Child.start(log, DEADLINE, List.of(command))) {
            if (child.await(DEADLINE) != 0) {
                throw new IOException(child.output());
            }
        }
    }
}
