package org.anyvirt.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;
import java.util.Objects;

/**
 * Every downcall of the project. As the kernel does, a function here returns its result or a
 * negated error number.
 *
 * <p>All functions are called through one native signature, seven integer words to one, because the
 * JVM takes 10 to 15 ms to link a signature and 20 µs to find a symbol. That is sound on Linux:
 * x86-64 and aarch64 pass integers and pointers in the same registers whatever their width, a
 * callee ignores what it has no parameter for, and variadic arguments travel as named ones do.
 *
 * <p>Calls of the control plane capture errno, for which the JVM makes a slice of the capturing
 * memory: an allocation that only code compiled and inlined deeply enough is rid of. So calls of
 * the data plane do not capture it. Such a call has no effect when it fails, so it is then made
 * once more, capturing, and that outcome is the answer.
 */
final class Libc {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final SymbolLookup LIBRARY = LINKER.defaultLookup();

    /** Takes the address of a function, memory for errno, and seven words. */
    private static final MethodHandle CAPTURING = link(Linker.Option.captureCallState("errno"));

    /** Per thread: errno at 0, a 64-bit scratch value at 8. Virtual threads have their own. */
    private static final ThreadLocal<MemorySegment> STATE =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(16, 8));

    private static final int SCRATCH = 8;

    private static final int IO_URING_SETUP = 425; // one number on all architectures
    private static final int IO_URING_ENTER = 426;

    /** Linked when the data plane first calls. */
    private static final class Hot {
        /** Takes the address of a function and seven words. */
        static final MethodHandle CALL = link();
    }

    private static final MemorySegment ACCEPT4 = symbol("accept4");
    private static final MemorySegment BIND = symbol("bind");
    private static final MemorySegment CHMOD = symbol("chmod");
    private static final MemorySegment CLOSE = symbol("close");
    private static final MemorySegment CONNECT = symbol("connect");
    private static final MemorySegment EPOLL_CREATE1 = symbol("epoll_create1");
    private static final MemorySegment EPOLL_CTL = symbol("epoll_ctl");
    private static final MemorySegment EPOLL_WAIT = symbol("epoll_wait");
    private static final MemorySegment EVENTFD = symbol("eventfd");
    private static final MemorySegment FALLOCATE = symbol("fallocate");
    private static final MemorySegment FCNTL = symbol("fcntl");
    private static final MemorySegment FDATASYNC = symbol("fdatasync");
    private static final MemorySegment FSTATFS = symbol("fstatfs");
    private static final MemorySegment FSYNC = symbol("fsync");
    private static final MemorySegment FTRUNCATE = symbol("ftruncate");
    private static final MemorySegment GETPAGESIZE = symbol("getpagesize");
    private static final MemorySegment GETSOCKOPT = symbol("getsockopt");
    private static final MemorySegment IOCTL = symbol("ioctl");
    private static final MemorySegment LABS = symbol("labs");
    private static final MemorySegment LISTEN = symbol("listen");
    private static final MemorySegment MEMFD_CREATE = symbol("memfd_create");
    private static final MemorySegment MMAP = symbol("mmap");
    private static final MemorySegment MUNMAP = symbol("munmap");
    private static final MemorySegment OPEN = symbol("open");
    private static final MemorySegment POLL = symbol("poll");
    private static final MemorySegment PREAD = symbol("pread");
    private static final MemorySegment PWRITE = symbol("pwrite");
    private static final MemorySegment READ = symbol("read");
    private static final MemorySegment RECVMSG = symbol("recvmsg");
    private static final MemorySegment SENDMSG = symbol("sendmsg");
    private static final MemorySegment SETSOCKOPT = symbol("setsockopt");
    private static final MemorySegment SHUTDOWN = symbol("shutdown");
    private static final MemorySegment SOCKET = symbol("socket");
    private static final MemorySegment SOCKETPAIR = symbol("socketpair");
    private static final MemorySegment STATX = symbol("statx");
    private static final MemorySegment STRERROR = symbol("strerror");
    private static final MemorySegment SYSCALL = symbol("syscall");
    private static final MemorySegment WRITE = symbol("write");

    private Libc() {}

    static int accept4(int fd, int flags) {
        return integer(ACCEPT4, fd, 0, 0, flags);
    }

    static int bind(int fd, MemorySegment address, int length) {
        return integer(BIND, fd, address.address(), length, 0);
    }

    static int chmod(MemorySegment path, int mode) {
        return integer(CHMOD, path.address(), mode, 0, 0);
    }

    static int close(int fd) {
        return integer(CLOSE, fd, 0, 0, 0);
    }

    static int connect(int fd, MemorySegment address, int length) {
        return integer(CONNECT, fd, address.address(), length, 0);
    }

    static int epollCreate1(int flags) {
        return integer(EPOLL_CREATE1, flags, 0, 0, 0);
    }

    static int epollCtl(int epoll, int operation, int fd, long event) {
        return integer(EPOLL_CTL, epoll, operation, fd, event);
    }

    /** Allocates nothing. */
    static int epollWait(int epoll, long events, int maximum, int timeoutMillis) {
        int result = (int) hot(EPOLL_WAIT, epoll, events, maximum, timeoutMillis, 0, 0, 0);
        return result == -1 ? integer(EPOLL_WAIT, epoll, events, maximum, 0) : result;
    }

    static int eventfd(int initial, int flags) {
        return integer(EVENTFD, initial, flags, 0, 0);
    }

    static int fallocate(int fd, int mode, long offset, long length) {
        return integer(FALLOCATE, fd, mode, offset, length);
    }

    static int fcntl(int fd, int command, long argument) {
        return integer(FCNTL, fd, command, argument, 0);
    }

    static int fdatasync(int fd) {
        return integer(FDATASYNC, fd, 0, 0, 0);
    }

    static int fstatfs(int fd, MemorySegment statfs) {
        return integer(FSTATFS, fd, statfs.address(), 0, 0);
    }

    static int fsync(int fd) {
        return integer(FSYNC, fd, 0, 0, 0);
    }

    static int ftruncate(int fd, long length) {
        return integer(FTRUNCATE, fd, length, 0, 0);
    }

    static int getpagesize() {
        return integer(GETPAGESIZE, 0, 0, 0, 0);
    }

    static int getsockopt(int fd, int level, int name, MemorySegment value, MemorySegment length) {
        return (int)
                failed(
                        (int)
                                invoke(
                                        GETSOCKOPT,
                                        fd,
                                        level,
                                        name,
                                        value.address(),
                                        length.address(),
                                        0,
                                        0));
    }

    static int ioctl(int fd, long request, long argument) {
        return integer(IOCTL, fd, request, argument, 0);
    }

    /** Allocates nothing. */
    static int ioUringEnter(int fd, int submit, int minimum, int flags, long limit, long size) {
        int result = (int) hot(SYSCALL, IO_URING_ENTER, fd, submit, minimum, flags, limit, size);
        // Without a minimum: it may have failed for want of time, and must not wait again.
        return result == -1 ? syscall(IO_URING_ENTER, fd, submit, 0, flags, limit, size) : result;
    }

    static int ioUringSetup(int entries, MemorySegment params) {
        return syscall(IO_URING_SETUP, entries, params.address(), 0, 0, 0, 0);
    }

    /** Does nothing, in native code. Allocates nothing. */
    static void labs() {
        hot(LABS, 0, 0, 0, 0, 0, 0, 0);
    }

    static int listen(int fd, int backlog) {
        return integer(LISTEN, fd, backlog, 0, 0);
    }

    static int memfdCreate(MemorySegment name, int flags) {
        return integer(MEMFD_CREATE, name.address(), flags, 0, 0);
    }

    static long mmap(long length, int protection, int flags, int fd, long offset) {
        return failed(invoke(MMAP, 0, length, protection, flags, fd, offset, 0));
    }

    static int munmap(long address, long length) {
        return integer(MUNMAP, address, length, 0, 0);
    }

    static int open(MemorySegment path, int flags, int mode) {
        return integer(OPEN, path.address(), flags, mode, 0);
    }

    static int poll(MemorySegment pollfds, int count, int timeoutMillis) {
        return integer(POLL, pollfds.address(), count, timeoutMillis, 0);
    }

    static long pread(int fd, long address, long length, long offset) {
        return word(PREAD, fd, address, length, offset);
    }

    static long pwrite(int fd, long address, long length, long offset) {
        return word(PWRITE, fd, address, length, offset);
    }

    static long recvmsg(int fd, MemorySegment message, int flags) {
        return word(RECVMSG, fd, message.address(), flags, 0);
    }

    static long sendmsg(int fd, MemorySegment message, int flags) {
        return word(SENDMSG, fd, message.address(), flags, 0);
    }

    static int setsockopt(int fd, int level, int name, MemorySegment value) {
        return (int)
                failed(
                        (int)
                                invoke(
                                        SETSOCKOPT,
                                        fd,
                                        level,
                                        name,
                                        value.address(),
                                        value.byteSize(),
                                        0,
                                        0));
    }

    static int shutdown(int fd, int how) {
        return integer(SHUTDOWN, fd, how, 0, 0);
    }

    static int socket(int domain, int type) {
        return integer(SOCKET, domain, type, 0, 0);
    }

    static int socketpair(int domain, int type, MemorySegment pair) {
        return integer(SOCKETPAIR, domain, type, 0, pair.address());
    }

    static int statx(int fd, MemorySegment path, int flags, int mask, MemorySegment statx) {
        return (int)
                failed((int) invoke(STATX, fd, path.address(), flags, mask, statx.address(), 0, 0));
    }

    @SuppressWarnings("restricted")
    static String strerror(int errno) {
        // SAFETY: a static or thread-local string of the C library, at most a sentence long.
        return MemorySegment.ofAddress(invoke(STRERROR, errno, 0, 0, 0, 0, 0, 0))
                .reinterpret(1024)
                .getString(0);
    }

    /** Allocates nothing. */
    static long write(int fd, long address, long length) {
        long result = hot(WRITE, fd, address, length, 0, 0, 0, 0);
        return result == -1 ? word(WRITE, fd, address, length, 0) : result;
    }

    /** Reads an unsigned 64-bit counter, cut to what a long can hold. Allocates nothing. */
    static long readCount(int fd) {
        MemorySegment state = STATE.get();
        long scratch = state.address() + SCRATCH;
        long result = hot(READ, fd, scratch, Long.BYTES, 0, 0, 0, 0);
        if (result == -1) {
            result = word(READ, fd, scratch, Long.BYTES, 0);
        }
        if (result < 0) {
            return result;
        }
        long count = state.get(JAVA_LONG, SCRATCH);
        return count < 0 ? Long.MAX_VALUE : count;
    }

    /**
     * The address of a range of native memory; whoever passes it on keeps the segment reachable.
     */
    static long address(MemorySegment segment, long at, long length) {
        Objects.checkFromIndexSize(at, length, segment.byteSize());
        if (!segment.isNative()) {
            throw new IllegalArgumentException("the kernel needs native memory, not " + segment);
        }
        return segment.address() + at;
    }

    /** For what the C library has no function for. */
    private static int syscall(int number, long a, long b, long c, long d, long e, long f) {
        return (int) failed(invoke(SYSCALL, number, a, b, c, d, e, f));
    }

    /** Calls a function that returns {@code int}: the upper half of its register has no meaning. */
    private static int integer(MemorySegment function, long a, long b, long c, long d) {
        return (int) failed((int) invoke(function, a, b, c, d, 0, 0, 0));
    }

    /** Calls a function that returns {@code long}, {@code ssize_t} or a pointer. */
    private static long word(MemorySegment function, long a, long b, long c, long d) {
        return failed(invoke(function, a, b, c, d, 0, 0, 0));
    }

    private static long failed(long result) {
        return result == -1 ? -STATE.get().get(JAVA_INT, 0) : result;
    }

    private static long invoke(
            MemorySegment function, long a, long b, long c, long d, long e, long f, long g) {
        try {
            return (long) CAPTURING.invokeExact(function, STATE.get(), a, b, c, d, e, f, g);
        } catch (Throwable thrown) {
            throw unchecked(thrown);
        }
    }

    /** The result as it is: -1 for every failure. */
    private static long hot(
            MemorySegment function, long a, long b, long c, long d, long e, long f, long g) {
        try {
            return (long) Hot.CALL.invokeExact(function, a, b, c, d, e, f, g);
        } catch (Throwable thrown) {
            throw unchecked(thrown);
        }
    }

    /**
     * Downcalls declare nothing; but a fault in mapped memory can end one, see NativeTransition.
     */
    private static RuntimeException unchecked(Throwable thrown) {
        return switch (thrown) {
            case Error error -> throw error;
            case RuntimeException exception -> exception;
            default -> throw new AssertionError(thrown);
        };
    }

    @SuppressWarnings("restricted")
    private static MethodHandle link(Linker.Option... options) {
        MemoryLayout[] words = new MemoryLayout[7];
        Arrays.fill(words, JAVA_LONG);
        try {
            return LINKER.downcallHandle(FunctionDescriptor.of(JAVA_LONG, words), options);
        } catch (IllegalCallerException denied) {
            Module module = Libc.class.getModule();
            throw new IllegalStateException(
                    "Anyvirt has no access to native functions: start java with"
                            + " --enable-native-access="
                            + (module.isNamed() ? module.getName() : "ALL-UNNAMED"),
                    denied);
        }
    }

    private static MemorySegment symbol(String name) {
        return LIBRARY.find(name)
                .orElseThrow(() ->
                        new UnsupportedOperationException(
                                "the C library has no "
                                        + name
                                        + ": glibc 2.28 or newer is needed"));
    }
}
