package org.anyvirt.linux;

/** Who connected to a Unix socket, as the kernel recorded it when it did (SO_PEERCRED, unix(7)). */
public record PeerCredentials(int pid, int uid, int gid) {
    /** For people. */
    @Override
    public String toString() {
        return "process %d of user %d".formatted(pid, uid);
    }
}
