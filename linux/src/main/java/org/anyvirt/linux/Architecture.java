package org.anyvirt.linux;

/** What differs between the processor architectures of Linux, for the calls made here. */
final class Architecture {
    private static final String NAME = System.getProperty("os.arch");

    /** {@code struct epoll_event} is packed on x86-64 only. */
    static final boolean X86_64 = NAME.equals("amd64") || NAME.equals("x86_64");

    /** Numbers a few {@code O_*} flags as 32-bit Arm did, not as asm-generic does. */
    static final boolean AARCH64 = NAME.equals("aarch64");

    private Architecture() {}
}
