/**
 * The driver's half of VirtIO, for tests, demonstrations, benchmarks and conformance: usable
 * against any backend, ours or another's.
 *
 * <pre>{@code
 * GuestMemory memory = GuestMemory.ofSize(64 << 20);
 * VhostUserDevice device = VhostUserDevice.connect(socket, memory, VhostUserOptions.DEFAULT);
 * try (BlockDriver driver = BlockDriver.start(device, BlockOptions.defaults())) {
 *     driver.disk().write(0, bytes);
 *     LoadPlan plan = LoadPlan.random(70, 4096, 32, driver.config().capacity() * 512);
 *     LoadResult result = new BlockLoad(plan.withVerify(true), driver.queue(0)).run();
 * }
 * }</pre>
 *
 * <p>What no driver should do is possible too: {@code device.frontend().channel()} sends any bytes
 * and descriptors, {@code driver.queue(0).queue().memory()} is the ring to write into, {@code
 * device.vring(0).kick()} notifies, and {@code device.memory()} is the guest's memory with its
 * files.
 */
module org.anyvirt.driver {
    requires transitive org.anyvirt.virtio;
    requires transitive org.anyvirt.linux;
    requires transitive org.anyvirt.transports;

    exports org.anyvirt.driver.block;
    exports org.anyvirt.driver.device;
    exports org.anyvirt.driver.memory;
    exports org.anyvirt.driver.queue;
    exports org.anyvirt.driver.vhostuser;
}
