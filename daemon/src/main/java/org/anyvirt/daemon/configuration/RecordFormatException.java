package org.anyvirt.daemon.configuration;

import java.util.List;

/** A text that is not the record it should be. */
public final class RecordFormatException extends Exception {
    private static final long serialVersionUID = 1;

    private final int line;
    private final int column;

    /**
     * @param path the property's, empty for the whole
     */
    RecordFormatException(Positions.Position at, List<String> path, String what) {
        super(path.isEmpty() ? what : String.join(".", path) + ": " + what);
        this.line = at.line();
        this.column = at.column();
    }

    /** From 1 on. */
    public int line() {
        return line;
    }

    /** From 1 on. */
    public int column() {
        return column;
    }
}
