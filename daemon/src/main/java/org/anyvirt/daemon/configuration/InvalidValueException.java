package org.anyvirt.daemon.configuration;

/**
 * A value of the configuration, or of an option of the command line, that is not one that the
 * property can have. {@link #getMessage} says what was given and what was expected.
 */
public final class InvalidValueException extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    private final String property;

    /**
     * @param property the name of the property, or "" when only the caller knows it
     * @param what without the property: {@code '0': expected 1 to 64}
     */
    private InvalidValueException(String property, String what) {
        super(what);
        this.property = property;
    }

    /** The value of an unnamed property is wrong. */
    static InvalidValueException of(Object value, String expected) {
        return of("", value, expected);
    }

    public static InvalidValueException of(String property, Object value, String expected) {
        return new InvalidValueException(
                property, "'%s': expected %s".formatted(shorten(value.toString()), expected));
    }

    public static InvalidValueException missing(String property, String expected) {
        return new InvalidValueException(property, "is missing: expected " + expected);
    }

    /** Whoever knows the value's form has said already what is wrong with it. */
    public static InvalidValueException because(String what) {
        return new InvalidValueException("", what);
    }

    /** In the spelling of the configuration, {@code queue-size}; "" when unknown. */
    public String property() {
        return property;
    }

    /** Some values are a page of text by mistake. */
    static String shorten(String value) {
        String line = value.replaceAll("\\p{Cntrl}+", " ");
        return line.length() <= 80 ? line : line.substring(0, 77) + "...";
    }
}
