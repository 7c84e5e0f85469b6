package org.anyvirt.daemon.configuration;

import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.anyvirt.daemon.configuration.Positions.Position;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.exc.InputCoercionException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.databind.DeserializationContext;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.cfg.MapperBuilder;
import tools.jackson.databind.deser.std.StdScalarDeserializer;
import tools.jackson.databind.exc.MismatchedInputException;
import tools.jackson.databind.exc.UnrecognizedPropertyException;
import tools.jackson.databind.exc.ValueInstantiationException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.module.SimpleModule;
import tools.jackson.dataformat.yaml.YAMLMapper;

/**
 * Reads records from YAML or JSON, strictly. Every error says where it is, what is there and what
 * was expected.
 */
public final class RecordReader {
    private final ObjectMapper mapper;

    private RecordReader(MapperBuilder<?, ?> builder) {
        mapper =
                builder.addModule(texts())
                        .propertyNamingStrategy(PropertyNamingStrategies.KEBAB_CASE)
                        .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
                        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                        .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                        .build();
    }

    public static RecordReader yaml() {
        return new RecordReader(YAMLMapper.builder());
    }

    public static RecordReader json() {
        return new RecordReader(JsonMapper.builder());
    }

    /** Types that are one word in the text. */
    private static SimpleModule texts() {
        SimpleModule texts = new SimpleModule();
        addText(texts, Binding.class, Binding::parse);
        addText(texts, CacheMode.class, CacheMode::parse);
        addText(texts, Capacity.class, Capacity::parse);
        addText(texts, ControlSocket.class, ControlSocket::parse);
        addText(texts, Polling.class, Polling::parse);
        addText(texts, StoreChoice.class, StoreChoice::parse);
        return texts;
    }

    private static <T> void addText(SimpleModule to, Class<T> type, Function<String, T> parse) {
        to.addDeserializer(type, new Text<>(type, parse));
    }

    public <T> T read(String text, Class<T> type) throws RecordFormatException {
        try {
            T record = mapper.readValue(text, type);
            if (record == null) {
                throw new RecordFormatException(Position.START, List.of(), "expected a mapping");
            }
            return record;
        } catch (InputCoercionException e) { // syntax is right, a number is too large
            throw explain(e, Positions.of(mapper, text));
        } catch (StreamReadException e) {
            throw explainSyntax(e);
        } catch (JacksonException e) {
            throw explain(e, Positions.of(mapper, text));
        }
    }

    Positions positions(String text) {
        return Positions.of(mapper, text);
    }

    private static RecordFormatException explainSyntax(StreamReadException e) {
        String what = e.getOriginalMessage().lines().findFirst().orElse("not readable");
        TokenStreamLocation at = e.getLocation();
        if (what.startsWith("Duplicate") && e.processor() instanceof JsonParser parser) {
            what = "'%s' is there twice".formatted(parser.currentName());
            at = parser.currentTokenLocation();
        }
        return new RecordFormatException(Position.of(at, ""), pathOf(e), what);
    }

    private static RecordFormatException explain(JacksonException e, Positions positions) {
        List<String> path = pathOf(e);
        if (e instanceof UnrecognizedPropertyException unknown) {
            return unknownKey(positions, path, names(unknown.getKnownPropertyIds()));
        }
        if (e instanceof ValueInstantiationException incomplete) {
            // A record lacks what stands there misspelt.
            Set<String> known = componentsOf(incomplete.getType().getRawClass());
            for (List<String> key : positions.namesIn(path)) {
                if (!known.isEmpty() && !known.contains(key.getLast())) {
                    return unknownKey(positions, key, known);
                }
            }
        }
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof InvalidValueException invalid) {
                if (!invalid.property().isEmpty()) {
                    path.add(invalid.property());
                }
                return new RecordFormatException(
                        positions.ofValue(path), path, invalid.getMessage());
            }
        }
        return mismatch(e, positions.ofValue(path), path);
    }

    private static RecordFormatException unknownKey(
            Positions positions, List<String> path, Set<String> known) {
        return new RecordFormatException(
                positions.ofName(path),
                path.subList(0, path.size() - 1),
                "unknown key '%s': expected one of %s"
                        .formatted(
                                InvalidValueException.shorten(path.getLast()),
                                String.join(", ", known)));
    }

    private static RecordFormatException mismatch(
            JacksonException e, Position at, List<String> path) {
        if (e.getOriginalMessage().startsWith("Trailing token")) {
            return new RecordFormatException(at, path, "expected nothing after the mapping");
        }
        Class<?> type =
                switch (e) {
                    case MismatchedInputException mismatch -> mismatch.getTargetType();
                    case InputCoercionException coercion -> coercion.getTargetType();
                    default -> null;
                };
        String expected = "expected " + (type == null ? "something else" : nameOf(type));
        return new RecordFormatException(
                at,
                path,
                at.text().isEmpty()
                        ? expected
                        : "'%s': %s".formatted(InvalidValueException.shorten(at.text()), expected));
    }

    private static Set<String> componentsOf(Class<?> type) {
        return type.isRecord()
                ? names(
                        Stream.of(type.getRecordComponents())
                                .map(RecordComponent::getName)
                                .map(RecordReader::spell)
                                .toList())
                : Set.of();
    }

    private static List<String> pathOf(JacksonException e) {
        List<String> path = new ArrayList<>();
        for (JacksonException.Reference step : e.getPath()) {
            path.add(
                    step.getPropertyName() == null
                            ? Integer.toString(step.getIndex())
                            : step.getPropertyName());
        }
        return path;
    }

    private static String nameOf(Class<?> type) {
        if (type == Integer.class || type == int.class) {
            return "a whole number";
        }
        if (type == Boolean.class) {
            return "true or false";
        }
        return type == String.class ? "text" : "a mapping";
    }

    /**
     * As {@link PropertyNamingStrategies#KEBAB_CASE} does: {@code queueSize}, {@code queue-size}.
     */
    private static String spell(String component) {
        return component.replaceAll("(?=[A-Z])", "-").toLowerCase(Locale.ROOT);
    }

    private static Set<String> names(Collection<?> names) {
        return names.stream().map(Object::toString).collect(Collectors.toCollection(TreeSet::new));
    }

    /** A scalar, of whatever kind: {@code 512} and {@code 4K} are the same kind of thing here. */
    private static final class Text<T> extends StdScalarDeserializer<T> {
        private final Function<String, T> parse;

        Text(Class<T> type, Function<String, T> parse) {
            super(type);
            this.parse = parse;
        }

        @Override
        @SuppressWarnings("unchecked")
        public T deserialize(JsonParser parser, DeserializationContext context) {
            return parser.currentToken().isScalarValue()
                    ? parse.apply(parser.getString())
                    : (T) context.handleUnexpectedToken(String.class, parser);
        }
    }
}
