package org.anyvirt.daemon.configuration;

/** A configuration file is not right. The message begins with {@code file:line:column:}. */
public final class ConfigurationException extends Exception {
    private static final long serialVersionUID = 1;

    ConfigurationException(String file, int line, int column, String what) {
        super("%s:%d:%d: %s".formatted(file, line, column, what));
    }
}
