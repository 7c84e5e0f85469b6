package org.anyvirt.benchmarks;

/**
 * One row of the table: a load on a store.
 *
 * @param depth requests in flight
 */
record Scenario(StoreKind store, boolean write, int depth) {
    String pattern() {
        return write ? "randwrite" : "randread";
    }

    /** What both contenders put under the disk. */
    enum StoreKind {
        /** Neither reads nor writes memory: the cost of the data path alone. */
        NULL("null"),
        /** A file through the page cache. */
        FILE("file"),
        /** A file past the page cache. */
        FILE_DIRECT("file,direct");

        private final String label;

        StoreKind(String label) {
            this.label = label;
        }

        String label() {
            return label;
        }
    }
}
