package org.anyvirt.daemon.command;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.anyvirt.daemon.serving.DeviceStatus;
import org.anyvirt.daemon.serving.DeviceStatus.QueueStatus;
import org.anyvirt.storage.ByteSize;

/** Devices for people. */
final class DeviceTables {
    private DeviceTables() {}

    /** One line a device. */
    static void printAll(List<DeviceStatus> devices, PrintWriter out) {
        Table table =
                new Table(
                        "NAME",
                        "TYPE",
                        "STATE",
                        ">CAPACITY",
                        ">QUEUES",
                        ">IN FLIGHT",
                        ">COMPLETED",
                        "STORE",
                        "ON");
        for (DeviceStatus device : devices) {
            table.add(
                    device.name(),
                    device.type(),
                    device.state().toString(),
                    ByteSize.format(device.capacity()) + (device.readOnly() ? " ro" : ""),
                    device.queues().size() + "/" + device.queuesOffered(),
                    sum(device.queues(), QueueStatus::inFlight),
                    sum(device.queues(), QueueStatus::completed),
                    device.store(),
                    device.on());
        }
        table.print(out);
    }

    /** One block of lines a device. */
    static void printEach(List<DeviceStatus> devices, PrintWriter out) {
        for (DeviceStatus device : devices) {
            print(device, out);
        }
    }

    private static void print(DeviceStatus device, PrintWriter out) {
        out.printf("%s: %s, %s%n", device.name(), device.type(), device.state());
        out.printf("  store     %s%n", device.store());
        out.printf("  on        %s%n", device.on());
        out.printf(
                "  capacity  %s (%,d bytes)%s%n",
                ByteSize.format(device.capacity()),
                device.capacity(),
                device.readOnly() ? ", read-only" : "");
        out.printf(
                "  queues    %d started of %d offered%n%n",
                device.queues().size(), device.queuesOffered());
        Table counters = new Table("  COUNTER", ">SINCE ADDED");
        for (Map.Entry<String, Long> counter : device.counters().entrySet()) {
            counters.add("  " + counter.getKey(), "%,d".formatted(counter.getValue()));
        }
        counters.print(out);
        if (!device.queues().isEmpty()) {
            out.println();
            printQueues(device.queues(), out);
        }
    }

    private static void printQueues(List<QueueStatus> queues, PrintWriter out) {
        Table table =
                new Table(
                        ">  QUEUE",
                        ">COMPLETED",
                        ">IN FLIGHT",
                        ">NOTIFIED",
                        ">SUPPRESSED",
                        "STATE");
        for (QueueStatus queue : queues) {
            table.add(
                    Integer.toString(queue.index()),
                    "%,d".formatted(queue.completed()),
                    "%,d".formatted(queue.inFlight()),
                    "%,d".formatted(queue.notificationsSent()),
                    "%,d".formatted(queue.notificationsSuppressed()),
                    queue.broken() == null ? "started" : "broken: " + queue.broken());
        }
        table.print(out);
    }

    private static String sum(
            List<QueueStatus> queues, java.util.function.ToLongFunction<QueueStatus> of) {
        return "%,d".formatted(queues.stream().mapToLong(of).sum());
    }

    /** Columns as wide as what is in them; a title that begins with {@code >} is right-aligned. */
    private static final class Table {
        private final List<String[]> rows = new ArrayList<>();
        private final boolean[] right;

        Table(String... titles) {
            right = new boolean[titles.length];
            for (int i = 0; i < titles.length; i++) {
                right[i] = titles[i].startsWith(">");
                titles[i] = right[i] ? titles[i].substring(1) : titles[i];
            }
            rows.add(titles);
        }

        void add(String... cells) {
            rows.add(cells);
        }

        void print(PrintWriter out) {
            int[] widths = new int[right.length];
            for (String[] row : rows) {
                for (int i = 0; i < row.length; i++) {
                    widths[i] = Math.max(widths[i], row[i].length());
                }
            }
            for (String[] row : rows) {
                StringBuilder line = new StringBuilder();
                for (int i = 0; i < row.length; i++) {
                    String padding = " ".repeat(widths[i] - row[i].length());
                    line.append(i == 0 ? "" : "  ")
                            .append(right[i] ? padding + row[i] : row[i] + padding);
                }
                out.println(line.toString().stripTrailing());
            }
        }
    }
}
