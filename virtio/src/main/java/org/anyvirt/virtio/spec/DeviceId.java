package org.anyvirt.virtio.spec;

/** Device types that this project serves, by their number in VIRTIO 1.3, section 5. */
public enum DeviceId {
    BLOCK(2, "block");

    private final int number;
    private final String label;

    DeviceId(int number, String label) {
        this.number = number;
        this.label = label;
    }

    public int number() {
        return number;
    }

    /** The name that the command line and the configuration use. */
    public String label() {
        return label;
    }
}
