package org.anyvirt.daemon.demo;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256, in hexadecimal. */
final class Hashes {
    private Hashes() {}

    static MessageDigest begin() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }

    static String end(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest());
    }

    /** Of the first {@code length} bytes of a file. */
    static String of(Path file, long length) throws IOException {
        MessageDigest digest = begin();
        ByteBuffer part = ByteBuffer.allocate(1 << 20);
        try (FileChannel channel = FileChannel.open(file)) {
            for (long at = 0; at < length; at += part.limit()) {
                part.clear().limit((int) Math.min(part.capacity(), length - at));
                while (part.hasRemaining()) {
                    if (channel.read(part, at + part.position()) < 0) {
                        throw new IOException("%s ends before %d".formatted(file, length));
                    }
                }
                digest.update(part.flip());
            }
        }
        return end(digest);
    }
}
