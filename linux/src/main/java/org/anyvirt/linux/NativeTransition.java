package org.anyvirt.linux;

/** A boundary that faults in mapped memory do not pass. Data plane. */
public final class NativeTransition {
    private NativeTransition() {}

    /**
     * Throws the {@link InternalError} of a fault made by this thread before: a page of a mapping
     * that its file no longer has, as when a peer truncates shared memory. Compiled code does not
     * throw at the access but when the thread next answers the JVM, and returning from native code
     * does. So whoever touches memory that can be taken away ends its turn with this call, inside
     * the {@code try} that blames the owner of that memory. Takes some 10 ns.
     */
    public static void cross() {
        Libc.labs();
    }
}
