package org.anyvirt.e2e.guest;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * What a Linux guest boots from: `e2e/guest/build` makes it once and keeps it in a cache.
 *
 * @param kernel a vmlinuz, which is an EFI program as well
 * @param initrd busybox, the drivers, and the shell that {@link Guest#run} talks to
 * @param initrdTools the same, with fio and e2fsprogs
 */
public record GuestImage(Path kernel, Path initrd, Path initrdTools) {
    private static final Duration DEADLINE = Duration.ofMinutes(10);
    private static GuestImage built;

    /** Builds the image, or takes it from the cache. */
    public static synchronized GuestImage get() throws IOException {
        if (built == null) {
            Path log = Places.logs().resolve("guest-image.log");
            Path script = Places.repository().resolve("e2e/guest/build");
            try (Child child = Child.start(log, DEADLINE, List.of(script.toString()))) {
                if (child.await(DEADLINE) != 0) {
                    throw new IOException("the guest's image cannot be built: " + child.output());
                }
                List<String> lines = child.output().lines().toList();
                Path folder = Path.of(lines.getLast());
                built =
                        new GuestImage(
                                folder.resolve("vmlinuz"),
                                folder.resolve("initrd"),
                                folder.resolve("initrd-tools"));
            }
        }
        if (!Files.exists(built.kernel)) {
            throw new IOException("no kernel at " + built.kernel);
        }
        return built;
    }
}
