package org.anyvirt.transports.vhostuser.message;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;

/**
 * What follows a header. Fields are in the specification's order and may have any value; buffers
 * are in the machine's byte order, which whoever makes them sets.
 */
public sealed interface Payload {
    Empty EMPTY = new Empty();

    /** The number of bytes that {@link #write} writes. */
    int encodedSize();

    void write(ByteBuffer to);

    /** No payload. */
    record Empty() implements Payload {
        @Override
        public int encodedSize() {
            return 0;
        }

        @Override
        public void write(ByteBuffer to) {}
    }

    /** A single integer. */
    record U64(long value) implements Payload {
        static U64 read(ByteBuffer from) {
            return new U64(from.getLong());
        }

        @Override
        public int encodedSize() {
            return 8;
        }

        @Override
        public void write(ByteBuffer to) {
            to.putLong(value);
        }
    }

    /** A vring's index, and what the message says of it: a size, a position, whether to enable. */
    record VringState(int index, int num) implements Payload {
        static VringState read(ByteBuffer from) {
            return new VringState(from.getInt(), from.getInt());
        }

        @Override
        public int encodedSize() {
            return 8;
        }

        @Override
        public void write(ByteBuffer to) {
            to.putInt(index).putInt(num);
        }
    }

    /**
     * Where a vring is.
     *
     * @param flags bit 0: log writes to the used ring
     * @param descriptor user address of the descriptor table, or ring
     * @param used user address of the used ring, or of the device event suppression
     * @param available user address of the available ring, or of the driver event suppression
     * @param log guest address at which writes to the used ring are logged
     */
    record VringAddress(int index, int flags, long descriptor, long used, long available, long log)
            implements Payload {
        static VringAddress read(ByteBuffer from) {
            return new VringAddress(
                    from.getInt(),
                    from.getInt(),
                    from.getLong(),
                    from.getLong(),
                    from.getLong(),
                    from.getLong());
        }

        @Override
        public int encodedSize() {
            return 40;
        }

        @Override
        public void write(ByteBuffer to) {
            to.putInt(index).putInt(flags);
            to.putLong(descriptor).putLong(used).putLong(available).putLong(log);
        }
    }

    /** All of the guest's memory; a file descriptor comes along for each region, in order. */
    record MemoryTable(List<RegionDescription> regions) implements Payload {
        public static final int REGIONS_MAX = 8;

        public MemoryTable {
            regions = List.copyOf(regions);
            if (regions.size() > REGIONS_MAX) {
                throw new IllegalArgumentException(
                        "%d regions, of at most %d".formatted(regions.size(), REGIONS_MAX));
            }
        }

        static MemoryTable read(ByteBuffer from) throws MalformedMessageException {
            int size = from.remaining();
            int count = from.getInt();
            from.getInt();
            // The specification draws all eight regions; frontends send as many as there are.
            boolean fits =
                    count >= 0
                            && count <= REGIONS_MAX
                            && (size == 8 + count * RegionDescription.SIZE
                                    || size == 8 + REGIONS_MAX * RegionDescription.SIZE);
            if (!fits) {
                throw new MalformedMessageException(
                        "a memory table of %s regions, of at most %d, in %d bytes"
                                .formatted(Integer.toUnsignedString(count), REGIONS_MAX, size));
            }
            RegionDescription[] regions = new RegionDescription[count];
            Arrays.setAll(regions, i -> RegionDescription.read(from));
            return new MemoryTable(List.of(regions));
        }

        @Override
        public int encodedSize() {
            return 8 + regions.size() * RegionDescription.SIZE;
        }

        @Override
        public void write(ByteBuffer to) {
            to.putInt(regions.size()).putInt(0);
            regions.forEach(region -> region.write(to));
        }
    }

    /** One region that comes or goes. */
    record SingleRegion(RegionDescription region) implements Payload {
        static SingleRegion read(ByteBuffer from) {
            from.getLong();
            return new SingleRegion(RegionDescription.read(from));
        }

        @Override
        public int encodedSize() {
            return 8 + RegionDescription.SIZE;
        }

        @Override
        public void write(ByteBuffer to) {
            to.putLong(0);
            region.write(to);
        }
    }

    /**
     * A part of the device's configuration space.
     *
     * @param flags 0: writes writable fields; 1: restores all of it, in a migration
     * @param bytes at most {@link #BYTES_MAX}; in a request to read, as many as are wanted
     */
    record Config(int offset, int flags, byte[] bytes) implements Payload {
        /** More than any device has. */
        public static final int BYTES_MAX = 256;

        /** The flag of a migration. */
        public static final int MIGRATION = 1;

        static final int HEADER_SIZE = 12;

        public Config {
            bytes = bytes.clone();
            if (bytes.length > BYTES_MAX) {
                throw new IllegalArgumentException(
                        "%d bytes of configuration, of at most %d"
                                .formatted(bytes.length, BYTES_MAX));
            }
        }

        static Config read(ByteBuffer from) throws MalformedMessageException {
            if (from.remaining() < HEADER_SIZE) {
                throw new MalformedMessageException(
                        "a configuration of %d bytes, of which its header has %d"
                                .formatted(from.remaining(), HEADER_SIZE));
            }
            int offset = from.getInt();
            int size = from.getInt();
            int flags = from.getInt();
            if (size != from.remaining()) {
                throw new MalformedMessageException(
                        "a configuration that says %s bytes, with %d"
                                .formatted(Integer.toUnsignedString(size), from.remaining()));
            }
            byte[] bytes = new byte[size];
            from.get(bytes);
            return new Config(offset, flags, bytes);
        }

        @Override
        public byte[] bytes() {
            return bytes.clone();
        }

        @Override
        public int encodedSize() {
            return HEADER_SIZE + bytes.length;
        }

        @Override
        public void write(ByteBuffer to) {
            to.putInt(offset).putInt(bytes.length).putInt(flags).put(bytes);
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Config that
                    && offset == that.offset
                    && flags == that.flags
                    && Arrays.equals(bytes, that.bytes);
        }

        @Override
        public int hashCode() {
            return 31 * (31 * offset + flags) + Arrays.hashCode(bytes);
        }
    }

    /** Where dirty pages are logged, in the file that comes along. */
    record Log(long size, long offset) implements Payload {
        static Log read(ByteBuffer from) {
            return new Log(from.getLong(), from.getLong());
        }

        @Override
        public int encodedSize() {
            return 16;
        }

        @Override
        public void write(ByteBuffer to) {
            to.putLong(size).putLong(offset);
        }
    }

    /**
     * A translation.
     *
     * @param iova I/O virtual address
     * @param permissions bit 0 read, bit 1 write
     * @param type 1 miss, 2 update, 3 invalidate, 4 access failed
     */
    record Iotlb(long iova, long size, long userAddress, byte permissions, byte type)
            implements Payload {
        static Iotlb read(ByteBuffer from) {
            return new Iotlb(
                    from.getLong(), from.getLong(), from.getLong(), from.get(), from.get());
        }

        @Override
        public int encodedSize() {
            return 32;
        }

        @Override
        public void write(ByteBuffer to) {
            to.putLong(iova).putLong(size).putLong(userAddress).put(permissions).put(type);
            to.put(new byte[6]);
        }
    }

    /**
     * Where a queue's available buffer notifications may be written.
     *
     * @param vring bits 0 to 7 the index, bit 8 that no descriptor comes along
     */
    record VringArea(long vring, long size, long offset) implements Payload {
        static VringArea read(ByteBuffer from) {
            return new VringArea(from.getLong(), from.getLong(), from.getLong());
        }

        @Override
        public int encodedSize() {
            return 24;
        }

        @Override
        public void write(ByteBuffer to) {
            to.putLong(vring).putLong(size).putLong(offset);
        }
    }

    /** The memory in which a backend records what is in flight. */
    record Inflight(long mmapSize, long mmapOffset, short queues, short queueSize)
            implements Payload {
        static Inflight read(ByteBuffer from) {
            return new Inflight(from.getLong(), from.getLong(), from.getShort(), from.getShort());
        }

        @Override
        public int encodedSize() {
            return 24;
        }

        @Override
        public void write(ByteBuffer to) {
            to.putLong(mmapSize).putLong(mmapOffset).putShort(queues).putShort(queueSize);
            to.putInt(0);
        }
    }

    /**
     * How the device's state moves.
     *
     * @param direction 0 save, 1 load
     * @param phase 0: the device is suspended
     */
    record DeviceState(int direction, int phase) implements Payload {
        static DeviceState read(ByteBuffer from) {
            return new DeviceState(from.getInt(), from.getInt());
        }

        @Override
        public int encodedSize() {
            return 8;
        }

        @Override
        public void write(ByteBuffer to) {
            to.putInt(direction).putInt(phase);
        }
    }

    /** Bytes of a message that nobody here speaks. */
    record Opaque(byte[] bytes) implements Payload {
        public Opaque {
            bytes = bytes.clone();
        }

        static Opaque read(ByteBuffer from) {
            byte[] bytes = new byte[from.remaining()];
            from.get(bytes);
            return new Opaque(bytes);
        }

        @Override
        public byte[] bytes() {
            return bytes.clone();
        }

        @Override
        public int encodedSize() {
            return bytes.length;
        }

        @Override
        public void write(ByteBuffer to) {
            to.put(bytes);
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Opaque that && Arrays.equals(bytes, that.bytes);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(bytes);
        }
    }
}
