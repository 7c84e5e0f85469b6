package org.anyvirt.e2e.hostile;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.anyvirt.e2e.guest.Places;
import org.anyvirt.linux.Epoll;
import org.anyvirt.linux.EventFd;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.Memfd;
import org.anyvirt.linux.OpenFile;
import org.anyvirt.linux.UnixSocket;

/** Open files of every kind that a frontend might pass instead of the one that is expected. */
final class OddDescriptors implements AutoCloseable {
    private static final int PIPE_SIZE = 1 << 16;
    private static final long COUNTER_MAX = -2;

    private final Map<String, Fd> byName = new LinkedHashMap<>();
    private final Path folder = Places.shortFolder();

    OddDescriptors() throws IOException {
        Path file = Files.write(folder.resolve("file"), new byte[1 << 20]);
        Path empty = Files.createFile(folder.resolve("empty"));
        open("regular file", file, OpenFile.O_RDWR);
        open("regular file, read-only", file, OpenFile.O_RDONLY);
        open("regular file, write-only", file, OpenFile.O_WRONLY);
        open("empty file", empty, OpenFile.O_RDWR);
        open("directory", folder, OpenFile.O_RDONLY);
        open("/dev/null", Path.of("/dev/null"), OpenFile.O_RDWR);
        open("/dev/zero", Path.of("/dev/zero"), OpenFile.O_RDWR);
        open("/proc/self/maps", Path.of("/proc/self/maps"), OpenFile.O_RDONLY);
        Fd[] pipe = RawCalls.pipe();
        byName.put("pipe, to read", pipe[0]);
        byName.put("pipe, to write", pipe[1]);
        Fd[] full = RawCalls.pipe();
        RawCalls.write(full[1], 0, PIPE_SIZE);
        byName.put("full pipe, to read", full[0]);
        byName.put("full pipe, to write", full[1]);
        UnixSocket[] pair = UnixSocket.pair();
        byName.put("socket", pair[0].fd());
        byName.put("its peer", pair[1].fd());
        byName.put("epoll", new Epoll().fd());
        byName.put("eventfd", new EventFd().fd());
        Fd fullCounter = new EventFd().fd();
        RawCalls.write(fullCounter, COUNTER_MAX, Long.BYTES);
        byName.put("full eventfd", fullCounter);
        Fd blocking = new EventFd().fd();
        RawCalls.setBlocking(blocking);
        byName.put("blocking eventfd", blocking);
        byName.put("memfd", Memfd.create("odd", 1 << 20));
        byName.put("empty memfd", Memfd.create("odd", 0));
        Fd sealed = Memfd.create("odd", 1 << 20);
        Memfd.seal(sealed, Memfd.F_SEAL_WRITE | Memfd.F_SEAL_GROW);
        byName.put("memfd, sealed against writes", sealed);
    }

    private void open(String name, Path path, int flags) throws IOException {
        byName.put(name, OpenFile.open(path, flags | OpenFile.O_CLOEXEC, 0));
    }

    List<String> names() {
        return List.copyOf(byName.keySet());
    }

    Fd get(String name) {
        return byName.get(name);
    }

    @Override
    public void close() throws IOException {
        byName.values().forEach(Fd::close);
        Places.delete(folder);
    }
}
