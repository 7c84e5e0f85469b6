package org.anyvirt.daemon.command;

import org.anyvirt.daemon.configuration.Binding;
import org.anyvirt.daemon.configuration.BlockConfiguration;
import org.anyvirt.daemon.configuration.CacheMode;
import org.anyvirt.daemon.configuration.Configuration;
import org.anyvirt.daemon.configuration.InvalidValueException;
import org.anyvirt.daemon.configuration.Polling;
import org.anyvirt.daemon.configuration.StoreChoice;
import picocli.CommandLine.Option;

/** The options that describe a block device; spelled as the keys of the configuration. */
final class BlockOptions {
    @Option(
            names = "--store",
            required = true,
            paramLabel = "STORE",
            order = 1,
            description = {
                "What it stands on:",
                "  file:PATH[,size=10G][,direct=on][,read-only=on]",
                "  memory:SIZE",
                "  zero:SIZE"
            })
    private StoreChoice store;

    @Option(
            names = "--on",
            required = true,
            paramLabel = "BINDING",
            order = 2,
            description = {
                "Where it meets its driver:",
                "  vhost-user:PATH[,mode=0660]  listens on a socket",
                "  vhost-user:PATH,connect=on   connects to one"
            })
    private Binding on;

    @Option(
            names = "--name",
            defaultValue = "disk0",
            paramLabel = "NAME",
            order = 3,
            description = "What logs and `anyvirt ctl` call it (${DEFAULT-VALUE}).")
    private String name;

    @Option(
            names = "--queues",
            paramLabel = "N",
            order = 4,
            description = "Virtqueues to offer (16); a driver may use fewer.")
    private Integer queues;

    @Option(
            names = "--queue-size",
            paramLabel = "N",
            order = 5,
            description = "The most descriptors of a virtqueue (1024).")
    private Integer queueSize;

    @Option(
            names = "--serial",
            paramLabel = "TEXT",
            order = 6,
            description = "What the guest sees as the serial number (the name).")
    private String serial;

    @Option(names = "--read-only", order = 7, description = "Refuse writes.")
    private boolean readOnly;

    @Option(
            names = "--cache",
            paramLabel = "MODE",
            order = 8,
            description = {
                "When a write is durable: after the driver's next",
                "flush (writeback, the default), or when it completes",
                "(writethrough)."
            })
    private CacheMode cache;

    @Option(
            names = "--runners",
            paramLabel = "N",
            order = 9,
            description = "Threads that serve the virtqueues (1).")
    private Integer runners;

    @Option(
            names = "--poll",
            paramLabel = "MODE",
            order = 10,
            description = {
                "What an idle thread does: poll a moment, then sleep",
                "(adaptive, the default); poll always; never poll."
            })
    private Polling poll;

    String name() throws UsageException {
        try {
            return Configuration.checkName(name);
        } catch (InvalidValueException e) {
            throw new UsageException("--name: " + e.getMessage());
        }
    }

    BlockConfiguration configuration() throws UsageException {
        try {
            return new BlockConfiguration(
                    store, on, queues, queueSize, serial, readOnly, cache, runners, poll);
        } catch (InvalidValueException e) {
            throw new UsageException("--%s: %s".formatted(e.property(), e.getMessage()));
        }
    }
}
