package org.anyvirt.e2e.guest;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A QEMU machine to be: a q35 whose memory is shared with the backends of its disks.
 *
 * <p>Emulated, so that it runs anywhere, and boots in some 3 seconds; with {@code -Danyvirt.kvm=on}
 * under KVM.
 */
public final class Machine {
    private static final Path OVMF = Path.of("/usr/share/ovmf/OVMF.fd");

    /** Periodic ticks: a timer that an emulated CPU loses is made good by the next. */
    static final String KERNEL_OPTIONS = "console=ttyS0 quiet panic=-1 nohz=off highres=off";

    private static final String MEMORY = "512M";
    private static final Path KVM = Path.of("/dev/kvm");

    private final String name;
    private final List<String> boot = new ArrayList<>();
    private final List<String> devices = new ArrayList<>();
    private int cpus = 1;
    private int frontends;
    private Duration life = Duration.ofMinutes(10);

    /**
     * @param name of its logs
     */
    public Machine(String name) {
        this.name = name;
    }

    /** Boots Linux without firmware's help: the disk is for the tests alone. */
    public Machine linux(boolean withTools) throws IOException {
        GuestImage image = GuestImage.get();
        Path initrd = withTools ? image.initrdTools() : image.initrd();
        boot.addAll(List.of("-kernel", image.kernel().toString()));
        boot.addAll(List.of("-initrd", initrd.toString()));
        boot.addAll(List.of("-append", KERNEL_OPTIONS));
        return this;
    }

    /** Boots from the first disk by UEFI firmware, instead of the BIOS that QEMU comes with. */
    public Machine ovmf() {
        boot.addAll(List.of("-bios", OVMF.toString()));
        return this;
    }

    public Machine cpus(int count) {
        cpus = count;
        return this;
    }

    /** After so long the machine is killed in any case. */
    public Machine life(Duration longest) {
        life = longest;
        return this;
    }

    /** Starts with its CPUs stopped: no driver, only QEMU itself. */
    public Machine stopped() {
        boot.add("-S");
        return this;
    }

    /**
     * Adds a disk.
     *
     * @param socket that a vhost-user backend listens on
     * @param properties of QEMU's vhost-user-blk-pci, such as {@code packed=on}
     */
    public Machine disk(Path socket, String... properties) {
        return frontend("vhost-user-blk-pci", socket, properties);
    }

    /** Adds a vhost-user frontend of QEMU's. */
    public Machine frontend(String model, Path socket, String... properties) {
        String id = "backend" + frontends++;
        devices.addAll(List.of("-chardev", "socket,id=" + id + ",path=" + socket));
        List<String> device = new ArrayList<>(List.of(model, "chardev=" + id));
        device.addAll(List.of(properties));
        devices.addAll(List.of("-device", String.join(",", device)));
        return this;
    }

    /** Starts it; closing the guest kills it. */
    public Guest start() throws IOException {
        Path sockets = Places.shortFolder();
        Path logs = Places.logs();
        Serial console = new Serial(sockets.resolve("console"), logs.resolve(name + ".console"));
        Serial shell = new Serial(sockets.resolve("shell"), logs.resolve(name + ".shell"));
        Qmp monitor = new Qmp(sockets.resolve("qmp"), logs.resolve(name + ".qmp"));
        List<String> command = new ArrayList<>(List.of("qemu-system-x86_64", "-nodefaults"));
        command.addAll(List.of("-machine", "q35", "-cpu", "max", "-accel", accelerator()));
        command.addAll(List.of("-smp", Integer.toString(cpus), "-m", MEMORY));
        command.addAll(List.of("-object", "memory-backend-memfd,id=m,share=on,size=" + MEMORY));
        command.addAll(List.of("-numa", "node,memdev=m", "-nic", "none", "-display", "none"));
        command.addAll(
                List.of("-chardev", console.chardev("console"), "-serial", "chardev:console"));
        command.addAll(List.of("-chardev", shell.chardev("shell"), "-serial", "chardev:shell"));
        command.addAll(List.of("-chardev", monitor.chardev("qmp"), "-mon", "qmp,mode=control"));
        // One line a vhost-user message: what QEMU has really sent, see Guest.messages.
        command.addAll(List.of("-trace", "vhost_user_write"));
        command.addAll(boot);
        command.addAll(devices);
        Child qemu = Child.start(logs.resolve(name + ".qemu"), life, command);
        return new Guest(qemu, console, shell, monitor, sockets);
    }

    /**
     * Starts it and waits for the shell of its Linux; once more when the emulator has lost a timer
     * of the guest's, of which the guest itself complains.
     */
    public Guest bootLinux() throws IOException {
        for (boolean again = true; ; again = false) {
            Guest guest = start();
            try {
                guest.awaitShell();
                return guest;
            } catch (IOException e) {
                boolean forgiven = again && guest.hasLostATimer();
                guest.close();
                if (!forgiven) {
                    throw e;
                }
            }
        }
    }

    private static String accelerator() {
        return Files.isWritable(KVM) && "on".equals(System.getProperty("anyvirt.kvm"))
                ? "kvm"
                : "tcg,thread=multi";
    }
}
