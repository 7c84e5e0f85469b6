/** How driver and device talk. */
module org.anyvirt.transports {
    requires org.anyvirt.linux;
    requires transitive org.anyvirt.virtio;

    exports org.anyvirt.transports.runner;
    exports org.anyvirt.transports.vhostuser;
    exports org.anyvirt.transports.vhostuser.message;
}
