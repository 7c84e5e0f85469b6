/** The product: command line, configuration, life cycle. */
module org.anyvirt.daemon {
    requires ch.qos.logback.classic;
    requires com.fasterxml.jackson.annotation;
    requires info.picocli;
    requires org.anyvirt.devices;
    requires org.anyvirt.driver;
    requires org.anyvirt.storage;
    requires org.anyvirt.transports;
    requires org.slf4j.jdk.platform.logging;
    requires tools.jackson.core;
    requires tools.jackson.databind;
    requires tools.jackson.dataformat.yaml;

    // By reflection picocli fills the commands, and Jackson the records.
    opens org.anyvirt.daemon.command to
            info.picocli;
    opens org.anyvirt.daemon.configuration to
            tools.jackson.databind;
    opens org.anyvirt.daemon.control to
            tools.jackson.databind;
    opens org.anyvirt.daemon.serving to
            tools.jackson.databind;
}
