package org.anyvirt.driver.block;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import org.anyvirt.driver.Proof;
import org.anyvirt.driver.vhostuser.QemuStorageDaemon;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInfo;

/** A foreign witness of the driver's half: qemu-storage-daemon serves, our driver drives. */
class QemuStorageDaemonTest extends BlockBackendContract {
    private static final Logger LOG = System.getLogger(QemuStorageDaemonTest.class.getName());
    private static String version;

    @BeforeAll
    static void isInstalled() throws Exception {
        version = QemuStorageDaemon.version();
        LOG.log(Level.INFO, version == null ? "qemu-storage-daemon is not installed" : version);
        assumeTrue(version != null, "qemu-storage-daemon is not installed");
    }

    /** It is a witness of our driver, and of nothing that our device does. */
    @Override
    protected void worked(TestInfo test, String... features) {
        for (String feature : features) {
            Proof.record(
                    "our driver: " + feature,
                    "qemu-storage-daemon",
                    version.replaceAll(".* version (\\S+).*", "$1"),
                    "QemuStorageDaemonTest." + test.getTestMethod().orElseThrow().getName());
        }
    }

    @Override
    protected Backend start(int queues) throws IOException {
        QemuStorageDaemon daemon =
                QemuStorageDaemon.start(
                        directory, "driver=file,discard=unmap,filename=" + image, queues);
        return new Backend() {
            @Override
            public Path socket() {
                return daemon.socket();
            }

            /** 7.2 resizes the node, and its vhost-user-blk export never hears of it. */
            @Override
            public boolean resize(long capacity) {
                return false;
            }

            /** libvhost-user of 7.2 gives the queue up when it cannot write to a call eventfd. */
            @Override
            public boolean servesWithoutCallFd() {
                return false;
            }

            @Override
            public boolean kill() {
                daemon.kill();
                return true;
            }

            @Override
            public void close() {
                daemon.close();
            }
        };
    }
}
