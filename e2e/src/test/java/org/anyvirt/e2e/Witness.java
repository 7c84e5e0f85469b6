package org.anyvirt.e2e;

import java.io.IOException;
import org.anyvirt.driver.Proof;
import org.anyvirt.e2e.guest.Backends;
import org.anyvirt.e2e.guest.Fio;
import org.anyvirt.e2e.guest.Guest;
import org.anyvirt.transports.vhostuser.message.FrontendRequest;
import org.anyvirt.transports.vhostuser.message.ProtocolFeature;
import org.junit.jupiter.api.TestInfo;

/**
 * A program that is not ours and that has exercised a feature of ours.
 *
 * @param name for people
 */
record Witness(String name, String version) {
    static Witness linux(Guest guest) {
        return new Witness("Linux virtio_blk", guest.kernel());
    }

    static Witness fio(Guest guest) throws IOException {
        return new Witness("fio in Linux " + guest.kernel(), Fio.version(guest));
    }

    static Witness seaBios() {
        return new Witness("SeaBIOS", packageVersion("seabios"));
    }

    static Witness ovmf() {
        return new Witness("OVMF", packageVersion("ovmf"));
    }

    /**
     * @param model the frontend, such as {@code vhost-user-blk-pci}
     */
    static Witness qemu(String model) {
        String line = Backends.firstLine("qemu-system-x86_64", "--version");
        return new Witness("QEMU " + model, line.replaceAll(".* version (\\S+).*", "$1"));
    }

    private static String packageVersion(String name) {
        return Backends.firstLine("dpkg-query", "-W", "-f", "${Version}", name);
    }

    /** Records what it has exercised. A peer under test proves nothing about us. */
    void saw(TestInfo test, String... features) {
        String place = test.getTestClass().orElseThrow().getSimpleName();
        String method = test.getTestMethod().orElseThrow().getName();
        for (String feature : features) {
            if (!Backends.isControl()) {
                Proof.record(feature, name, version, place + "." + method);
            }
        }
    }

    /** Records the vhost-user messages that QEMU has sent for a guest, and what they stand for. */
    void sawMessages(TestInfo test, Guest guest) throws IOException {
        for (FrontendRequest message : guest.messages()) {
            saw(test, "vhost-user " + message);
            ProtocolFeature feature = message.protocolFeature();
            if (feature != null) {
                saw(test, feature.name());
            }
        }
        if (guest.askedForAcknowledgements()) {
            saw(test, ProtocolFeature.VHOST_USER_PROTOCOL_F_REPLY_ACK.name());
        }
    }
}
