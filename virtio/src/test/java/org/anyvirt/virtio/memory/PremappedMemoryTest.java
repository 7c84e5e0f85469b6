package org.anyvirt.virtio.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PremappedMemoryTest {
    private static final long TOP = -0x1000L;

    private final Buffers buffers = new Buffers();

    @Test
    void resolvesARangeInOneRegionToOneFragment() {
        MemoryRegion region = region(0x1000, 0x1000);
        PremappedMemory memory = memory(region);

        assertThat(resolve(memory, 0x1800, 0x800)).isEqualTo(Resolution.READY);

        assertThat(buffers.fragments()).isEqualTo(1);
        assertThat(buffers.memory(0)).isSameAs(region.memory());
        assertThat(buffers.offset(0)).isEqualTo(0x800);
        assertThat(buffers.size(0)).isEqualTo(0x800);
    }

    @Test
    void resolvesARangeAcrossAdjacentRegionsToSeveralFragments() {
        PremappedMemory memory =
                memory(region(0x3000, 0x1000), region(0x1000, 0x1000), region(0x2000, 0x1000));

        assertThat(resolve(memory, 0x1ff0, 0x1020)).isEqualTo(Resolution.READY);

        assertThat(buffers.fragments()).isEqualTo(3);
        assertThat(buffers.offset(0)).isEqualTo(0xff0);
        assertThat(buffers.size(0)).isEqualTo(0x10);
        assertThat(buffers.offset(1)).isZero();
        assertThat(buffers.size(1)).isEqualTo(0x1000);
        assertThat(buffers.size(2)).isEqualTo(0x10);
        assertThat(buffers.total()).isEqualTo(0x1020);
    }

    @Test
    void refusesARangeWithAGapAndLeavesTheBuffersAsTheyWere() {
        PremappedMemory memory =
                memory(region(0x1000, 0x1000), region(0x2000, 0xfff), region(0x3000, 0x1000));
        assertThat(resolve(memory, 0x1000, 0x10)).isEqualTo(Resolution.READY);

        assertThat(resolve(memory, 0x1ff0, 0x1020)).isEqualTo(Resolution.FAULT);

        assertThat(buffers.fragments()).isEqualTo(1);
        assertThat(buffers.total()).isEqualTo(0x10);
    }

    @Test
    void refusesWhatIsNotSharedAtAll() {
        PremappedMemory memory = memory(region(0x1000, 0x1000));

        assertThat(resolve(memory, 0xfff, 2)).isEqualTo(Resolution.FAULT);
        assertThat(resolve(memory, 0x1fff, 2)).isEqualTo(Resolution.FAULT);
        assertThat(resolve(memory, 0x2000, 1)).isEqualTo(Resolution.FAULT);
        assertThat(resolve(memory, -1, 1)).isEqualTo(Resolution.FAULT);
        assertThat(resolve(new PremappedMemory(RegionTable.EMPTY), 0, 1))
                .isEqualTo(Resolution.FAULT);
    }

    @Test
    void refusesARangeOfNoBytesOrLess() {
        PremappedMemory memory = memory(region(0x1000, 0x1000));

        assertThat(resolve(memory, 0x1000, 0)).isEqualTo(Resolution.FAULT);
        assertThat(resolve(memory, 0x1000, -1)).isEqualTo(Resolution.FAULT);
        assertThat(resolve(memory, 0x1000, Long.MIN_VALUE)).isEqualTo(Resolution.FAULT);
    }

    @Test
    void refusesLengthsThatOverflowWhenAdded() {
        PremappedMemory memory = memory(region(0x1000, 0x1000), region(TOP, 0x1000));

        assertThat(resolve(memory, 0x1fff, Long.MAX_VALUE)).isEqualTo(Resolution.FAULT);
        assertThat(resolve(memory, TOP + 1, Long.MAX_VALUE)).isEqualTo(Resolution.FAULT);
        assertThat(resolve(memory, TOP + 1, 0xffff_ffffL)).isEqualTo(Resolution.FAULT);
    }

    @Test
    void refusesARangeThatWrapsEvenWhereMemoryIsOnBothSides() {
        PremappedMemory memory = memory(region(0, 0x1000), region(TOP, 0x1000));

        assertThat(resolve(memory, TOP + 0xff0, 0x10)).isEqualTo(Resolution.READY);
        assertThat(resolve(memory, TOP + 0xff0, 0x11)).isEqualTo(Resolution.FAULT);
    }

    @Test
    void sortsAddressesAsUnsigned() {
        PremappedMemory memory =
                memory(
                        region(Long.MIN_VALUE, 0x1000),
                        region(Long.MIN_VALUE - 0x1000, 0x1000),
                        region(0x1000, 0x1000));

        assertThat(memory.table().regions().getFirst().busAddress()).isEqualTo(0x1000);
        assertThat(resolve(memory, Long.MAX_VALUE, 2)).isEqualTo(Resolution.READY);
        assertThat(buffers.fragments()).isEqualTo(2);
    }

    @Test
    void refusesToWriteWhereMemoryIsReadOnly() {
        MemorySegment readOnly = allocate(0x1000).asReadOnly();
        PremappedMemory memory =
                memory(region(0x1000, 0x1000), new MemoryRegion(0x2000, 0x1000, readOnly));

        assertThat(resolve(memory, 0x1ff0, 0x20)).isEqualTo(Resolution.READY);
        assertThat(memory.resolve(0x2000, 1, Access.DEVICE_WRITABLE, buffers))
                .isEqualTo(Resolution.FAULT);
        assertThat(memory.resolve(0x1ff0, 0x20, Access.DEVICE_WRITABLE, buffers))
                .isEqualTo(Resolution.FAULT);
        assertThatThrownBy(() -> memory.ringArea(0x2000, 16, Access.DEVICE_WRITABLE))
                .hasMessageContaining("reading only");
    }

    @Test
    void refusesOverlappingRegionsNamingBoth() {
        assertThatThrownBy(() -> memory(region(0x2000, 0x1000), region(0x1000, 0x1001)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("memory regions [0x1000, +0x1001) and [0x2000, +0x1000) overlap");
        assertThatThrownBy(() -> memory(region(TOP, 0x1000), region(TOP, 0x800)))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> memory(region(TOP - 1, 0x1000), region(TOP, 0x1000)))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void refusesARegionThatGoesBeyondTheAddressSpaceOrItsMemory() {
        assertThatThrownBy(() -> region(TOP, 0x1001)).hasMessageContaining("beyond 2^64");
        assertThatThrownBy(() -> region(0x1000, 0)).hasMessageContaining("size of 0");
        assertThatThrownBy(() -> new MemoryRegion(0, 0x1001, allocate(0x1000)))
                .hasMessageContaining("only 0x1000 bytes of memory");
    }

    @Test
    void holdsAsManyRegionsAsAFrontendMayHaveAndNoMore() {
        List<MemoryRegion> regions = new ArrayList<>();
        for (int i = 0; i < RegionTable.MAX_REGIONS; i++) {
            regions.add(region(i * 0x30L, 0x20));
        }
        assertThat(RegionTable.of(regions).regions()).hasSize(509);

        regions.add(region(-0x20, 0x20));
        assertThatThrownBy(() -> RegionTable.of(regions)).hasMessageContaining("510");
    }

    @Test
    void findsWhatALinearSearchFinds() {
        long seed = Long.getLong("anyvirt.seed", System.nanoTime());
        Random random = new Random(seed);
        for (int round = 0; round < 50; round++) {
            List<MemoryRegion> regions = new ArrayList<>();
            long at = random.nextLong();
            for (int i = random.nextInt(RegionTable.MAX_REGIONS); i > 0; i--) {
                long size = 1 + random.nextInt(64);
                regions.add(region(at, size));
                at += size + (random.nextBoolean() ? 0 : random.nextInt(32));
                if (Long.compareUnsigned(at, -0x1_0000L) > 0) {
                    at = 0;
                }
            }
            Collections.shuffle(regions, random);
            PremappedMemory memory = new PremappedMemory(RegionTable.of(regions));
            for (int i = 0; i < 500 && !regions.isEmpty(); i++) {
                MemoryRegion near = regions.get(random.nextInt(regions.size()));
                long address = near.busAddress() + random.nextInt(100) - 20;
                long length = 1 + random.nextInt(200);
                buffers.clear();
                assertThat(resolve(memory, address, length))
                        .as("seed %d: [0x%x, +0x%x)", seed, address, length)
                        .isEqualTo(linear(regions, address, length));
            }
        }
    }

    private static Resolution linear(List<MemoryRegion> regions, long address, long length) {
        for (long i = 0; i < length; i++) {
            long at = address + i;
            boolean wrapped = Long.compareUnsigned(at, address) < 0;
            if (wrapped
                    || regions.stream()
                            .noneMatch(
                                    r -> Long.compareUnsigned(at - r.busAddress(), r.size()) < 0)) {
                return Resolution.FAULT;
            }
        }
        return Resolution.READY;
    }

    @Test
    void usesTheTableThatReplacedAnother() {
        PremappedMemory memory = memory(region(0x1000, 0x1000), region(0x4000, 0x1000));
        assertThat(resolve(memory, 0x4000, 1)).isEqualTo(Resolution.READY);

        MemoryRegion moved = region(0x4000, 0x1000);
        memory.replace(RegionTable.of(moved));

        buffers.clear();
        assertThat(resolve(memory, 0x1000, 1)).isEqualTo(Resolution.FAULT);
        assertThat(resolve(memory, 0x4000, 1)).isEqualTo(Resolution.READY);
        assertThat(buffers.memory(0)).isSameAs(moved.memory());
    }

    @Test
    void findsARingAreaInOneRegionOnly() throws UnmappedRangeException {
        PremappedMemory memory = memory(region(0x1000, 0x1000), region(0x2000, 0x1000));

        assertThat(memory.ringArea(0x1f00, 0x100, Access.DEVICE_WRITABLE).byteSize())
                .isEqualTo(0x100);
        assertThatThrownBy(() -> memory.ringArea(0x1f00, 0x101, Access.DEVICE_READABLE))
                .isInstanceOf(UnmappedRangeException.class)
                .hasMessage("[0x1f00, +0x101) does not lie in one region of shared memory");
        assertThatThrownBy(() -> memory.ringArea(0x3000, 1, Access.DEVICE_READABLE))
                .hasMessage("[0x3000, +0x1) is not in shared memory");
    }

    private Resolution resolve(BusMemory memory, long address, long length) {
        return memory.resolve(address, length, Access.DEVICE_READABLE, buffers);
    }

    private static PremappedMemory memory(MemoryRegion... regions) {
        return new PremappedMemory(RegionTable.of(regions));
    }

    private static MemoryRegion region(long address, long size) {
        return new MemoryRegion(address, size, allocate(Math.max(size, 1)));
    }

    private static MemorySegment allocate(long size) {
        return Arena.ofAuto().allocate(size, 16);
    }
}
