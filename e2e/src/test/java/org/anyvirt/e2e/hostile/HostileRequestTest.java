package org.anyvirt.e2e.hostile;

import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_S_IOERR;
import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_S_OK;
import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_S_UNSUPP;
import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_T_DISCARD;
import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_T_FLUSH;
import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_T_GET_ID;
import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_T_IN;
import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_T_OUT;
import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_T_SECURE_ERASE;
import static org.anyvirt.virtio.spec.BlockLayout.VIRTIO_BLK_T_WRITE_ZEROES;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Good chains with requests in them that no device can do: each ends with a status that says so,
 * and the queue goes on.
 */
@Timeout(60)
class HostileRequestTest {
    @RegisterExtension static final ServedDisks DISKS = new ServedDisks("request", "disk");

    private static final long SECTORS = ServedDisks.CAPACITY / 512;
    private static final ValueLayout.OfInt LE32 =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE64 =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private HostileSession session;

    @BeforeEach
    void open() throws IOException {
        session = HostileSession.open(DISKS, "disk", Kind.SPLIT);
        session.data().memory().fill((byte) 0x5a);
    }

    @AfterEach
    void goOnAndClose() throws IOException {
        int status = session.run(session.readHeader(), session.in(512), session.status());
        session.close();
        assertThat(status).as("the status of a good request after").isEqualTo(VIRTIO_BLK_S_OK);
    }

    /** Beyond the end, by little and by much; and sums and products that overflow 63 or 64 bits. */
    @ParameterizedTest
    @ValueSource(
            longs = {
                SECTORS - 1,
                SECTORS,
                SECTORS + 1,
                1L << 32,
                1L << 54,
                (1L << 54) - 1,
                1L << 55,
                (1L << 55) + 8192,
                Long.MAX_VALUE,
                Long.MIN_VALUE,
                Long.MIN_VALUE + 8192,
                -1,
                -2,
                -SECTORS
            })
    void refusesReadsAndWritesBeyondTheEnd(long sector) throws IOException {
        Element header = session.header(VIRTIO_BLK_T_IN, sector);
        assertThat(session.run(header, session.in(1024), session.status()))
                .isEqualTo(VIRTIO_BLK_S_IOERR);
        assertThat(session.data().memory().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 0x5a);
        header = session.header(VIRTIO_BLK_T_OUT, sector);
        assertThat(session.run(header, session.out(1024), session.status()))
                .isEqualTo(VIRTIO_BLK_S_IOERR);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 511, 513, 1023, 65535})
    void refusesPartsOfSectors(long length) throws IOException {
        assertThat(session.run(session.readHeader(), session.in(length), session.status()))
                .isEqualTo(VIRTIO_BLK_S_IOERR);
        assertThat(session.run(session.writeHeader(), session.out(length), session.status()))
                .isEqualTo(VIRTIO_BLK_S_IOERR);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 10, 12, VIRTIO_BLK_T_SECURE_ERASE, 15, 0x7fffffff, -1, 1 << 31})
    void refusesUnknownTypes(int type) throws IOException {
        Element header = session.header(type, 0);
        assertThat(session.run(header, session.in(512), session.status()))
                .isEqualTo(VIRTIO_BLK_S_UNSUPP);
        assertThat(session.data().memory().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 0x5a);
    }

    /** A read has nowhere to put its data, a write nothing to write: nothing is done. */
    @Test
    void takesDataInTheWrongDirectionForNone() throws IOException {
        Element header = session.header(VIRTIO_BLK_T_OUT, 0);
        session.run(header, session.in(512), session.status());
        header = session.header(VIRTIO_BLK_T_IN, 0);
        session.run(header, session.out(512), session.status());
        assertThat(session.data().memory().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 0x5a);
    }

    @Test
    void flushesWhateverComesAlong() throws IOException {
        Element header = session.header(VIRTIO_BLK_T_FLUSH, -1);
        session.run(header, session.out(512), session.status());
        assertThat(session.run(header, session.status())).isEqualTo(VIRTIO_BLK_S_OK);
    }

    /** No more than there is room for, and no more than the identity has. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 19, 20, 21, 4096})
    void givesTheIdentityInAnyLength(int length) throws IOException {
        Element header = session.header(VIRTIO_BLK_T_GET_ID, -1);
        session.run(header, session.in(length), session.status());
        for (int i = Math.min(length, 20); i < 4096; i++) {
            assertThat(session.data().memory().get(ValueLayout.JAVA_BYTE, i))
                    .as("byte " + i)
                    .isEqualTo((byte) 0x5a);
        }
    }

    /** The first segment is good each time, and not done for the second one's sake. */
    @ParameterizedTest
    @CsvSource({
        "-1, 8, 0",
        "-1, -1, 0",
        "0, -1, 0",
        "1, 2147483647, 0",
        "9223372036854775807, 1, 0",
        "-9223372036854775808, 1, 0",
        "36028797018963968, 8, 0",
        "131071, 2, 0",
        "131072, 1, 0",
        "0, 8, 1",
        "0, 8, 2",
        "0, 8, -1",
    })
    void refusesAbsurdSegmentsToDiscard(long sector, int sectors, int flags) throws IOException {
        assertThat(segments(VIRTIO_BLK_T_DISCARD, sector, sectors, flags))
                .isIn((int) VIRTIO_BLK_S_IOERR, (int) VIRTIO_BLK_S_UNSUPP);
    }

    @ParameterizedTest
    @CsvSource({
        "-1, 8, 0",
        "-1, -1, 1",
        "0, -1, 0",
        "9223372036854775807, 1, 1",
        "36028797018963968, 8, 0",
        "131071, 2, 1",
        "0, 8, 2",
        "0, 8, 3",
        "0, 8, -2",
    })
    void refusesAbsurdSegmentsToZero(long sector, int sectors, int flags) throws IOException {
        assertThat(segments(VIRTIO_BLK_T_WRITE_ZEROES, sector, sectors, flags))
                .isIn((int) VIRTIO_BLK_S_IOERR, (int) VIRTIO_BLK_S_UNSUPP);
    }

    /** The other segment is of what {@link HonestSession} finds changed if it is done. */
    private int segments(int type, long sector, int sectors, int flags) throws IOException {
        segment(0, HonestSession.UNTOUCHABLE / 512, 8, 0);
        segment(1, sector, sectors, flags);
        return session.run(session.header(type, 0), session.out(32), session.status());
    }

    private void segment(int index, long sector, int sectors, int flags) {
        long at = index * 16L;
        session.data().memory().set(LE64, at, sector);
        session.data().memory().set(LE32, at + 8, sectors);
        session.data().memory().set(LE32, at + 12, flags);
    }

    /** None, parts of one, and more than the configuration space allows. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 15, 17, 31, 33 * 16, 4096 * 15})
    void refusesSegmentsThatAreNot(int length) throws IOException {
        session.data().memory().fill((byte) 0);
        for (int type : new int[] {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES}) {
            Element header = session.header(type, 0);
            assertThat(session.run(header, session.out(length), session.status()))
                    .isEqualTo(VIRTIO_BLK_S_IOERR);
        }
    }

    @Test
    void discardsSegmentsOfNoSectors() throws IOException {
        session.data().memory().fill((byte) 0);
        Element header = session.header(VIRTIO_BLK_T_DISCARD, 0);
        assertThat(session.run(header, session.out(32 * 16), session.status()))
                .isEqualTo(VIRTIO_BLK_S_OK);
    }
}
