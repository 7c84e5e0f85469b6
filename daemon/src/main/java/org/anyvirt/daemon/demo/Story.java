package org.anyvirt.daemon.demo;

import java.io.PrintWriter;

/** What the demonstration tells: headings, facts in two columns, plain lines. */
final class Story {
    private final PrintWriter out;
    private int chapters;

    Story(PrintWriter out) {
        this.out = out;
    }

    void chapter(String title, Object... arguments) {
        out.printf("%n%d. %s%n", ++chapters, title.formatted(arguments));
        out.flush();
    }

    void heading(String title) {
        out.printf("%n%s%n", title);
        out.flush();
    }

    void line(String text, Object... arguments) {
        out.println(("   " + text.formatted(arguments)).stripTrailing());
        out.flush();
    }

    void fact(String name, String value, Object... arguments) {
        line("%-28s %s", name, value.formatted(arguments));
    }
}
