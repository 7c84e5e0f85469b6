package org.anyvirt.linux;

/**
 * What direct I/O on a file must be aligned to, in bytes; both 0 when the file has no direct I/O.
 *
 * @param memory of each buffer's address
 * @param offset of file offsets and of each buffer's length
 */
public record DirectAlignment(int memory, int offset) {
    public boolean isSupported() {
        return offset != 0;
    }
}
