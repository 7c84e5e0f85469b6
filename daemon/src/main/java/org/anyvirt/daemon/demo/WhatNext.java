package org.anyvirt.daemon.demo;

/** Where to go from the demonstration. */
final class WhatNext {
    private WhatNext() {}

    static void tell(Story story) {
        story.heading("What to try next");
        story.line("Serve a disk, here with every default:");
        story.line("  ./anyvirt serve block --store file:disk.img,size=10G \\");
        story.line("      --on vhost-user:/tmp/disk.sock");
        story.line("");
        story.line("give it to a guest of yours, whose memory must be shared:");
        story.line("  qemu-system-x86_64 -machine q35 -m 1G -numa node,memdev=mem \\");
        story.line("      -object memory-backend-memfd,id=mem,size=1G,share=on \\");
        story.line("      -chardev socket,id=disk,path=/tmp/disk.sock \\");
        story.line("      -device vhost-user-blk-pci,chardev=disk ...");
        story.line("");
        story.line("and, while it runs:");
        story.line("  ./anyvirt ctl list");
        story.line("  ./anyvirt ctl resize disk0 20G");
        story.line("");
        story.line("./anyvirt --help names every command; README.md says what else there is.");
    }
}
