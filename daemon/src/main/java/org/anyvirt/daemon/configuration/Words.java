package org.anyvirt.daemon.configuration;

import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Enumerations as the configuration spells them: in lower case. */
final class Words {
    private Words() {}

    static <E extends Enum<E>> E parse(Class<E> type, String text) {
        for (E constant : type.getEnumConstants()) {
            if (of(constant).equals(text)) {
                return constant;
            }
        }
        throw InvalidValueException.of(
                text,
                Stream.of(type.getEnumConstants())
                        .map(Words::of)
                        .collect(Collectors.joining(" or ")));
    }

    static String of(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }
}
