package org.anyvirt.e2e.house;

import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.SourcePositions;
import com.sun.source.util.TreeScanner;
import com.sun.source.util.Trees;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;

/**
 * What the compiler sees in a source, without the meaning: its types and methods.
 *
 * @param types in the order they open
 * @param methods constructors too
 */
record JavaSource(List<Type> types, List<Method> methods) {
    private static final JavaCompiler COMPILER = ToolProvider.getSystemJavaCompiler();

    /** A class, interface, enum or record. */
    record Type(String name, int line) {}

    /**
     * A method with a body, or without.
     *
     * @param lines from its name's line to its closing brace
     */
    record Method(String name, boolean constructor, int parameters, int line, int lines) {}

    static JavaSource parse(String text) {
        JavacTask task =
                (JavacTask)
                        COMPILER.getTask(null, null, d -> {}, null, null, List.of(text(text, 0)));
        try {
            Collector collector = new Collector(Trees.instance(task).getSourcePositions());
            for (CompilationUnitTree unit : task.parse()) {
                collector.unit = unit;
                collector.scan(unit, null);
            }
            return new JavaSource(collector.types, collector.methods);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Compiles sources, each of one package and type, into a folder. */
    static void compile(List<String> sources, Path classes) {
        List<JavaFileObject> files = new ArrayList<>();
        for (String source : sources) {
            files.add(text(source, files.size()));
        }
        List<String> options = List.of("-d", classes.toString(), "-proc:none", "-cp", "");
        if (!COMPILER.getTask(null, null, null, options, null, files).call()) {
            throw new AssertionError("does not compile: " + sources);
        }
    }

    private static JavaFileObject text(String text, int number) {
        // The compiler wants a public class in a file of its name.
        String name =
                text.contains("public class Used") ? number + "/Used.java" : number + "/Any.java";
        URI uri = URI.create("string:///" + name);
        return new SimpleJavaFileObject(uri, JavaFileObject.Kind.SOURCE) {
            @Override
            public CharSequence getCharContent(boolean ignoreEncodingErrors) {
                return text;
            }
        };
    }

    private static final class Collector extends TreeScanner<Void, Void> {
        private final List<Type> types = new ArrayList<>();
        private final List<Method> methods = new ArrayList<>();
        private final SourcePositions positions;
        private CompilationUnitTree unit;

        Collector(SourcePositions positions) {
            this.positions = positions;
        }

        @Override
        public Void visitClass(ClassTree type, Void unused) {
            types.add(new Type(type.getSimpleName().toString(), line(start(type))));
            return super.visitClass(type, unused);
        }

        @Override
        public Void visitMethod(MethodTree method, Void unused) {
            String name = method.getName().toString();
            int first = line(start(method));
            int last = line(positions.getEndPosition(unit, method));
            int parameters = method.getParameters().size();
            boolean constructor = name.equals("<init>");
            methods.add(new Method(name, constructor, parameters, first, last - first + 1));
            return super.visitMethod(method, unused);
        }

        private long start(Tree tree) {
            return positions.getStartPosition(unit, tree);
        }

        private int line(long position) {
            return (int) unit.getLineMap().getLineNumber(position);
        }
    }
}
