package org.anyvirt.daemon;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;

/** What went wrong, for people. */
public final class Failures {
    private Failures() {}

    /** In one line; the JDK's file exceptions say no more than the path, so here is the rest. */
    public static String describe(IOException e) {
        if (!(e instanceof FileSystemException file) || file.getFile() == null) {
            return e.getMessage() == null ? e.toString() : e.getMessage();
        }
        String why =
                file.getReason() != null
                        ? file.getReason()
                        : switch (file) {
                            case NoSuchFileException none -> "there is no such file or directory";
                            case AccessDeniedException denied -> "permission denied";
                            case FileAlreadyExistsException exists -> "it exists already";
                            default -> "input/output error";
                        };
        return file.getFile() + ": " + why;
    }
}
