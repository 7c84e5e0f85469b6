/** The driver's half of VirtIO, for tests, demonstrations, benchmarks and conformance. */
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
