package org.anyvirt.e2e.house;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.anyvirt.e2e.guest.Places;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Which module may use which. JPMS says it too, but not why. */
class ArrowsTest {
    private static final String OURS = "org.anyvirt.";

    /** A module, what it may use, and why nothing else. */
    enum Module {
        VIRTIO("what the specification says stands on nothing of ours"),
        LINUX("a system call knows no device"),
        DEVICES("a device must run on any transport and any system", VIRTIO),
        TRANSPORTS("a transport must carry any device", VIRTIO, LINUX),
        STORAGE("a store serves a device, and knows no way to a driver", VIRTIO, LINUX, DEVICES),
        DRIVER("leaning on our device it would share its misreadings", VIRTIO, LINUX, TRANSPORTS),
        DAEMON(
                "the product, which tests and benchmarks drive",
                VIRTIO,
                LINUX,
                DEVICES,
                TRANSPORTS,
                STORAGE,
                DRIVER),
        E2E("no benchmark", VIRTIO, LINUX, DEVICES, TRANSPORTS, STORAGE, DRIVER, DAEMON),
        BENCHMARKS("no test", VIRTIO, LINUX, DEVICES, TRANSPORTS, STORAGE, DRIVER, DAEMON);

        private final String why;
        private final Set<Module> uses;

        Module(String why, Module... uses) {
            this.why = why;
            this.uses = new TreeSet<>(Arrays.asList(uses));
        }

        String folder() {
            return name().toLowerCase(Locale.ROOT);
        }

        String packages() {
            return OURS + folder() + "..";
        }

        ArchRule rule() {
            String[] allowed =
                    Stream.concat(Stream.of(this), uses.stream())
                            .map(Module::packages)
                            .toArray(String[]::new);
            return noClasses()
                    .that()
                    .resideInAPackage(packages())
                    .should()
                    .dependOnClassesThat(
                            resideInAPackage(OURS + ".").and(not(resideInAnyPackage(allowed))))
                    .because(why)
                    .allowEmptyShould(true);
        }
    }

    private static final ArchRule NATIVE_CALLS =
            noClasses()
                    .that()
                    .resideOutsideOfPackage(Module.LINUX.packages())
                    .should()
                    .dependOnClassesThat()
                    .haveNameMatching("java\\.lang\\.foreign\\.(Linker|SymbolLookup)(\\$.*)?")
                    .because("linux holds every native call, where it can be read in one go");

    private static final ArchRule NO_IO =
            noClasses()
                    .that()
                    .resideInAPackage(Module.VIRTIO.packages())
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage("java.net..", "java.nio.file..", "java.nio.channels..")
                    .because("virtio has no I/O of its own, so that any system can carry it");

    @TempDir Path folder;

    private static final JavaClasses HOUSE = house();

    private static JavaClasses house() {
        return new ClassFileImporter()
                .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
                .importPackages("org.anyvirt");
    }

    @Test
    void everyArrowPointsWhereItMay() {
        JavaClasses house = HOUSE;
        assertThat(house).hasSizeGreaterThan(50);
        for (Module module : Module.values()) {
            module.rule().check(house);
        }
    }

    @Test
    void nativeCallsAreInLinuxAlone() {
        NATIVE_CALLS.check(HOUSE);
    }

    @Test
    void virtioDoesNoInputOrOutput() {
        NO_IO.check(HOUSE);
    }

    @Test
    void everyModuleHasItsRule() throws IOException {
        try (Stream<Path> folders = Files.list(Places.repository())) {
            List<String> modules =
                    folders.filter(f -> Files.exists(f.resolve("pom.xml")))
                            .map(f -> f.getFileName().toString())
                            .toList();
            assertThat(modules)
                    .containsExactlyInAnyOrderElementsOf(
                            Stream.of(Module.values()).map(Module::folder).toList());
        }
    }

    /** The rule itself: each module uses each other one, and the forbidden uses are found. */
    @ParameterizedTest
    @EnumSource
    void refusesEveryOtherArrow(Module module) throws IOException {
        List<String> sources = new ArrayList<>();
        for (Module used : Module.values()) {
            sources.add("package %s; public class Used {}".formatted(OURS + used.folder()));
            if (used != module) {
                sources.add(
                        "package %s; class Uses%s { %s.Used used; }"
                                .formatted(OURS + module.folder(), used, OURS + used.folder()));
            }
        }
        JavaClasses classes = compile(sources);
        List<String> found = module.rule().evaluate(classes).getFailureReport().getDetails();
        Set<Module> forbidden = new TreeSet<>(Arrays.asList(Module.values()));
        forbidden.remove(module);
        forbidden.removeAll(module.uses);
        assertThat(found).hasSameSizeAs(forbidden);
        assertThat(found.stream().collect(joining("\n")))
                .contains(forbidden.stream().map(used -> "Uses" + used).toList());
    }

    @Test
    void refusesANativeCallElsewhere() throws IOException {
        JavaClasses classes =
                compile(
                        List.of(
                                "package org.anyvirt.storage; class Calls { "
                                        + "Object o = java.lang.foreign.Linker.nativeLinker(); }"));
        assertThat(NATIVE_CALLS.evaluate(classes).hasViolation()).isTrue();
    }

    @Test
    void refusesInputAndOutputInVirtio() throws IOException {
        JavaClasses classes =
                compile(List.of("package org.anyvirt.virtio; class Dials { java.net.Socket s; }"));
        assertThat(NO_IO.evaluate(classes).hasViolation()).isTrue();
    }

    private JavaClasses compile(List<String> sources) throws IOException {
        Path classes = Files.createDirectories(folder.resolve("classes"));
        JavaSource.compile(sources, classes);
        return new ClassFileImporter().importPath(classes);
    }
}
