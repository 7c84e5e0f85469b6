package org.anyvirt.e2e.guest;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** The file behind a disk, looked at from the host. */
public final class HostFile {
    private HostFile() {}

    public static String sha256(Path file, long offset, long length) throws IOException {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(read(file, offset, length));
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    public static boolean isZero(Path file, long offset, long length) throws IOException {
        ByteBuffer bytes = read(file, offset, length);
        while (bytes.hasRemaining()) {
            if (bytes.get() != 0) {
                return false;
            }
        }
        return true;
    }

    public static ByteBuffer read(Path file, long offset, long length) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(length));
        try (FileChannel channel = FileChannel.open(file)) {
            while (bytes.hasRemaining()) {
                if (channel.read(bytes, offset + bytes.position()) < 0) {
                    throw new IOException(file + " ends before " + (offset + length));
                }
            }
        }
        return bytes.flip();
    }

    /** What the file takes of its filesystem, in bytes: holes take nothing. */
    public static long allocated(Path file) {
        return 512 * Long.parseLong(Backends.firstLine("stat", "-c", "%b", file.toString()));
    }
}
