package org.anyvirt.e2e.guest;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Whether this machine has what a real guest needs. */
final class GuestPrograms implements ExecutionCondition {
    private static final List<String> NEEDED =
            List.of(
                    "qemu-system-x86_64",
                    "qemu-storage-daemon",
                    "busybox",
                    "cpio",
                    "modprobe",
                    "apt-get",
                    "fio",
                    "mcopy",
                    "mke2fs");

    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
        List<String> missing = NEEDED.stream().filter(name -> !found(name)).toList();
        return decide(missing, "true".equals(System.getenv("CI")));
    }

    /** With nothing missing the test runs; else it is skipped, which in CI is a failure. */
    static ConditionEvaluationResult decide(List<String> missing, boolean inCi) {
        if (missing.isEmpty()) {
            return ConditionEvaluationResult.enabled("every program is there");
        }
        String reason = "no real guest: missing " + String.join(", ", missing);
        if (inCi) {
            throw new IllegalStateException(reason + ", and in CI that is a failure");
        }
        return ConditionEvaluationResult.disabled(reason);
    }

    private static boolean found(String program) {
        String path = System.getenv("PATH") + ":/usr/sbin:/sbin";
        return Stream.of(path.split(":"))
                .map(folder -> Path.of(folder, program))
                .anyMatch(Files::isExecutable);
    }
}
