package org.anyvirt.storage;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.anyvirt.virtio.spec.BlockLayout;

/** Capacities as people write them: {@code 512K}, {@code 64M}, {@code 10G}, {@code 1T}. */
public final class ByteSize {
    private static final Pattern FORM = Pattern.compile("(\\d{1,19})([KMGT]?)");
    private static final String UNITS = "KMGT";

    private ByteSize() {}

    /**
     * @return in bytes
     * @throws IllegalArgumentException naming the text, when it is not a positive multiple of 512
     */
    public static long parse(String text) {
        Matcher form = FORM.matcher(text);
        if (!form.matches()) {
            throw expected(text);
        }
        try {
            int shift = 10 * (UNITS.indexOf(form.group(2)) + (form.group(2).isEmpty() ? 0 : 1));
            long size = Math.multiplyExact(Long.parseLong(form.group(1)), 1L << shift);
            if (size <= 0 || size % BlockLayout.SECTOR_SIZE != 0) {
                throw expected(text);
            }
            return size;
        } catch (ArithmeticException | NumberFormatException tooLarge) {
            throw expected(text);
        }
    }

    /** The shortest text that {@link #parse} makes {@code size} of. */
    public static String format(long size) {
        int unit = 0;
        long number = size;
        while (number != 0 && number % 1024 == 0 && unit < UNITS.length()) {
            number /= 1024;
            unit++;
        }
        return number + (unit == 0 ? "" : UNITS.substring(unit - 1, unit));
    }

    private static IllegalArgumentException expected(String text) {
        return new IllegalArgumentException(
                "\"%s\": a multiple of 512 bytes is expected, such as 65536, 512K, 64M, 10G or 1T"
                        .formatted(text));
    }
}
