package org.anyvirt.driver.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.anyvirt.linux.Mapping;
import org.junit.jupiter.api.Test;

class GuestMemoryTest {
    @Test
    void keepsGuestAndUserAddressesAndOffsetsApart() throws Exception {
        try (GuestMemory memory = GuestMemory.ofSize(1 << 20)) {
            assertThat(memory.regions()).hasSize(2);
            GuestMemory.Placement low = memory.regions().get(0).placement();
            GuestMemory.Placement high = memory.regions().get(1).placement();
            assertThat(high.guestAddress()).isGreaterThan(low.guestAddress() + low.size());
            assertThat(high.userAddress()).isLessThan(low.userAddress());
            assertThat(high.mapOffset()).isPositive();
            assertThat(memory.userAddress(high.guestAddress() + 5))
                    .isEqualTo(high.userAddress() + 5);
            assertThatThrownBy(() -> memory.userAddress(high.guestAddress() - 1))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    void sharesItsMemoryThroughItsFiles() throws Exception {
        try (GuestMemory memory = GuestMemory.ofSize(1 << 20)) {
            for (GuestMemory.Region region : memory.regions()) {
                GuestMemory.Placement at = region.placement();
                try (Mapping other = Mapping.of(region.fd(), at.mapOffset(), at.size(), false)) {
                    region.memory().set(ValueLayout.JAVA_BYTE, at.size() - 1, (byte) 7);
                    assertThat(other.memory().get(ValueLayout.JAVA_BYTE, at.size() - 1))
                            .isEqualTo((byte) 7);
                }
            }
        }
    }

    @Test
    void givesOutAlignedZeroedRangesUntilNoneIsLeft() throws Exception {
        try (GuestMemory memory =
                GuestMemory.of(List.of(new GuestMemory.Placement(0x10_0000, 0x1000, 16384, 0)))) {
            SharedRange one = memory.allocate(5, 1);
            SharedRange two = memory.allocate(4096, 4096);
            assertThat(two.address() % 4096).isZero();
            assertThat(two.address()).isGreaterThanOrEqualTo(one.address() + 5);
            assertThat(two.memory().toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
            one.memory().fill((byte) 1);
            assertThat(
                            MemorySegment.mismatch(
                                    memory.at(one.address(), 5).memory(), 0, 5, one.memory(), 0, 5))
                    .isEqualTo(-1);
            assertThatThrownBy(() -> memory.allocate(12288, 4096))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("12288");
            memory.add(new GuestMemory.Placement(0x20_0000, 0x10_0000, 16384, 4096));
            assertThat(memory.allocate(12288, 4096).address()).isEqualTo(0x20_0000);
        }
    }
}
