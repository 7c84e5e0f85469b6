package org.anyvirt.driver.vhostuser;

import java.io.IOException;

/** The backend refused a request, broke the protocol, or has gone. The message says which. */
public final class BackendException extends IOException {
    private static final long serialVersionUID = 1;

    BackendException(String message) {
        super(message);
    }

    BackendException(String message, Throwable cause) {
        super(message, cause);
    }
}
