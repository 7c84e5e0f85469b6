package org.anyvirt.storage.file;

/** A block device with blocks of 4 KiB, past the page cache. */
class DirectLoopDeviceStoreTest extends LoopDeviceStoreTest {
    @Override
    protected int logicalBlockSize() {
        return 4096;
    }

    @Override
    protected boolean direct() {
        return true;
    }
}
