/**
 * What VirtIO is: the specification's constants and layouts, memory, virtqueues and the device
 * model.
 */
module org.anyvirt.virtio {
    exports org.anyvirt.virtio.spec;
    exports org.anyvirt.virtio.memory;
    exports org.anyvirt.virtio.queue;
    exports org.anyvirt.virtio.device;
}
