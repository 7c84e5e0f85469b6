package org.anyvirt.virtio.device;

/** The driver accepted what was not offered, or left out what another feature needs. */
public final class FeatureNegotiationException extends Exception {
    private static final long serialVersionUID = 1;

    public FeatureNegotiationException(String message) {
        super(message);
    }
}
