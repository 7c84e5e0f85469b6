package org.anyvirt.transports.vhostuser;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.anyvirt.linux.EventFd;
import org.anyvirt.linux.Fd;
import org.anyvirt.linux.OpenFile;

/** What a frontend can do to an eventfd that it shares and the product never does. */
@SuppressWarnings("restricted")
final class HostileEventFd {
    private static final int F_SETFL = 4;
    private static final long FULL = -2L;

    private HostileEventFd() {}

    /** Makes the next write to it wait until somebody reads. */
    static void fillAndBlock(EventFd event) throws Throwable {
        Fd fd = event.fd();
        event.drain();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocateFrom(JAVA_LONG, FULL);
            MethodHandle write =
                    function(
                            "write",
                            FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
            if ((long) write.invokeExact(fd.number(), value, 8L) != 8) {
                throw new AssertionError("not written");
            }
        }
        MethodHandle fcntl =
                function("fcntl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
        int flags = OpenFile.statusFlags(fd) & ~OpenFile.O_NONBLOCK;
        if ((int) fcntl.invokeExact(fd.number(), F_SETFL, flags) != 0) {
            throw new AssertionError("still not blocking");
        }
    }

    private static MethodHandle function(String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(
                linker.defaultLookup().findOrThrow(name),
                descriptor,
                name.equals("fcntl")
                        ? new Linker.Option[] {Linker.Option.firstVariadicArg(2)}
                        : new Linker.Option[0]);
    }
}
