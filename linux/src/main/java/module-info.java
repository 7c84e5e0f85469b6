/** Linux as the rest of the project sees it: the only module with native calls. */
module org.anyvirt.linux {
    exports org.anyvirt.linux;
}
