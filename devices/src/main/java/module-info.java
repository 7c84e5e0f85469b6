/** VirtIO devices. None knows a transport or a hypervisor. */
module org.anyvirt.devices {
    requires transitive org.anyvirt.virtio;

    exports org.anyvirt.devices;
    exports org.anyvirt.devices.block;
}
