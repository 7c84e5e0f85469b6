/** What a block device stands on: files, memory, nothing. */
module org.anyvirt.storage {
    requires transitive org.anyvirt.devices;
    requires org.anyvirt.linux;

    exports org.anyvirt.storage;
    exports org.anyvirt.storage.file;
    exports org.anyvirt.storage.memory;
    exports org.anyvirt.storage.zero;
}
