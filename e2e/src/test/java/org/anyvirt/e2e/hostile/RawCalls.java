package org.anyvirt.e2e.hostile;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.anyvirt.linux.Fd;

/** System calls that only an attacker needs, so that the product does not have them. */
final class RawCalls {
    private static final int F_GETFL = 3;
    private static final int F_SETFL = 4;
    private static final int O_NONBLOCK = 04000;
    private static final int O_CLOEXEC = 02000000;

    private static final MethodHandle PIPE2 = handle("pipe2", JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle WRITE =
            handle("write", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
    private static final MethodHandle FCNTL =
            variadic("fcntl", 2, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);

    private RawCalls() {}

    /** A pipe: its end to read, its end to write. */
    static Fd[] pipe() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ends = arena.allocate(JAVA_INT, 2);
            check((int) PIPE2.invokeExact(ends, O_CLOEXEC | O_NONBLOCK), "pipe2");
            return new Fd[] {new Fd(ends.get(JAVA_INT, 0)), new Fd(ends.get(JAVA_INT, 4))};
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Writes so many bytes, the first eight of which are a number. */
    static void write(Fd fd, long number, int length) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(Math.max(length, Long.BYTES));
            bytes.set(JAVA_LONG, 0, number);
            check((int) (long) WRITE.invokeExact(fd.number(), bytes, (long) length), "write");
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Makes whoever has the file wait in it, also those to whom it was passed. */
    static void setBlocking(Fd fd) {
        try {
            int flags = (int) FCNTL.invokeExact(fd.number(), F_GETFL, 0);
            check((int) FCNTL.invokeExact(fd.number(), F_SETFL, flags & ~O_NONBLOCK), "fcntl");
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static void check(int result, String call) {
        if (result < 0) {
            throw new AssertionError(call + " failed");
        }
    }

    private static MethodHandle handle(String name, MemoryLayout result, MemoryLayout... args) {
        return link(name, FunctionDescriptor.of(result, args));
    }

    private static MethodHandle variadic(
            String name, int fixed, MemoryLayout result, MemoryLayout... args) {
        return link(
                name, FunctionDescriptor.of(result, args), Linker.Option.firstVariadicArg(fixed));
    }

    @SuppressWarnings("restricted")
    private static MethodHandle link(
            String name, FunctionDescriptor descriptor, Linker.Option... options) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor, options);
    }
}
