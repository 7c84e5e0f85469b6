package org.anyvirt.e2e.guest;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.nio.ByteBuffer;
import java.util.HexFormat;

/**
 * A program of one sector that a BIOS boots: it reads sector 1 through the BIOS, writes it back to
 * sector 7, and prints it, as text up to a zero byte, on the first serial port.
 */
public final class BootSector {
    /** Where the program writes what it read, in bytes. */
    public static final int COPY = 7 * 512;

    private static final int SECTOR = 512;

    /** Assembled for 0000:7c00; the BIOS hands over the drive's number in DL. */
    private static final String PROGRAM =
            """
            31c0        xor %ax,%ax
            8ed8        mov %ax,%ds
            8ed0        mov %ax,%ss
            bc007c      mov $0x7c00,%sp
            be4b7c      mov $packet,%si
            b442        mov $0x42,%ah               extended read
            cd13        int $0x13
            7226        jc failed
            c606537c07  movb $7,packet+8
            b80043      mov $0x4300,%ax             extended write, without verify
            cd13        int $0x13
            721a        jc failed
            be0080      mov $0x8000,%si
            ac          print: lodsb
            84c0        test %al,%al
            7417        jz stop
            88c3        mov %al,%bl
            bafd03      mov $0x3fd,%dx              line status
            ec          busy: in %dx,%al
            a820        test $0x20,%al              room for a byte
            74fb        jz busy
            88d8        mov %bl,%al
            baf803      mov $0x3f8,%dx
            ee          out %al,%dx
            ebe9        jmp print
            be407c      failed: mov $message,%si
            ebe4        jmp print
            f4          stop: hlt
            ebfd        jmp stop
            6469736b206572726f7200  message: .asciz "disk error"
            10000100    packet: .word 16, 1         one sector
            00800000    .word 0x8000, 0             to 0000:8000
            0100000000000000  .quad 1               from sector 1
            """;

    private BootSector() {}

    /** The first two sectors of a disk that boots and prints {@code message}. */
    public static ByteBuffer disk(String message) {
        ByteBuffer disk = ByteBuffer.allocate(2 * SECTOR);
        for (String line : PROGRAM.lines().toList()) {
            disk.put(HexFormat.of().parseHex(line.substring(0, line.indexOf(' '))));
        }
        disk.put(SECTOR - 2, (byte) 0x55).put(SECTOR - 1, (byte) 0xaa);
        byte[] text = message.getBytes(US_ASCII);
        return disk.put(SECTOR, text).put(SECTOR + text.length, (byte) 0).rewind();
    }
}
