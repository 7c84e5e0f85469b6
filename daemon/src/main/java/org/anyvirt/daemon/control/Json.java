package org.anyvirt.daemon.control;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.List;
import org.anyvirt.daemon.configuration.Binding;
import org.anyvirt.daemon.configuration.CacheMode;
import org.anyvirt.daemon.configuration.Capacity;
import org.anyvirt.daemon.configuration.Polling;
import org.anyvirt.daemon.configuration.StoreChoice;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.module.SimpleModule;
import tools.jackson.databind.ser.std.ToStringSerializer;

/** Requests and answers as lines of JSON, spelled as the configuration is. */
public final class Json {
    /** What a later version adds to an answer, this one does not see. */
    private static final JsonMapper MAPPER =
            JsonMapper.builder()
                    .addModule(texts())
                    .changeDefaultPropertyInclusion(
                            all -> all.withValueInclusion(JsonInclude.Include.NON_NULL))
                    .propertyNamingStrategy(PropertyNamingStrategies.KEBAB_CASE)
                    .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                    .build();

    private Json() {}

    /** Types that are one word in the text; RecordReader reads them. */
    private static SimpleModule texts() {
        SimpleModule texts = new SimpleModule();
        for (Class<?> type :
                List.of(
                        Binding.class,
                        CacheMode.class,
                        Capacity.class,
                        Polling.class,
                        StoreChoice.class)) {
            texts.addSerializer(type, ToStringSerializer.instance);
        }
        return texts;
    }

    /** In one line. */
    public static String write(Object value) {
        return MAPPER.writeValueAsString(value);
    }

    /** In many lines, for people. */
    public static String writePretty(Object value) {
        return MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(value);
    }

    /**
     * @throws JacksonException when it is no answer
     */
    static ControlAnswer readAnswer(String line) {
        return MAPPER.readValue(line, ControlAnswer.class);
    }
}
