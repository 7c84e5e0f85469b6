package org.anyvirt.driver.queue;

/** The device broke the specification's rules. The message says which, with the value. */
public final class DeviceViolationException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public DeviceViolationException(String message) {
        super(message);
    }
}
