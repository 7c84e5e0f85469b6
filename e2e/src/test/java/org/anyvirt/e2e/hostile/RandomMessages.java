package org.anyvirt.e2e.hostile;

import static org.anyvirt.transports.vhostuser.message.FrontendRequest.*;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.anyvirt.e2e.hostile.HostileSession.Kind;
import org.anyvirt.linux.Fd;
import org.anyvirt.transports.vhostuser.message.FrontendRequest;
import org.anyvirt.transports.vhostuser.message.Header;
import org.anyvirt.transports.vhostuser.message.Payload;
import org.anyvirt.transports.vhostuser.message.ProtocolFeature;
import org.anyvirt.transports.vhostuser.message.RegionDescription;
import org.anyvirt.transports.vhostuser.message.VringDescriptor;

/** The messages of random sessions: good ones, and what becomes of them. */
final class RandomMessages {
    private static final int NEED_REPLY = 1 << 3;
    private static final int DRIVER_IS_READY = 15;

    /** All protocol features that the daemon offers. */
    private static final long PROTOCOL_FEATURES =
            ProtocolFeature.setOf(
                    ProtocolFeature.VHOST_USER_PROTOCOL_F_MQ,
                    ProtocolFeature.VHOST_USER_PROTOCOL_F_REPLY_ACK,
                    ProtocolFeature.VHOST_USER_PROTOCOL_F_BACKEND_REQ,
                    ProtocolFeature.VHOST_USER_PROTOCOL_F_CONFIG,
                    ProtocolFeature.VHOST_USER_PROTOCOL_F_RESET_DEVICE,
                    ProtocolFeature.VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS);

    private final RandomChoice choice;
    private final RandomGuest guest;
    private final OddDescriptors odd;
    private final Kind kind;
    private final boolean status;

    /**
     * A message, or what is meant to be one.
     *
     * @param name for the story of the session
     */
    record Message(String name, byte[] bytes, List<Fd> descriptors) {}

    RandomMessages(RandomChoice choice, RandomGuest guest, OddDescriptors odd, Kind kind) {
        this.choice = choice;
        this.guest = guest;
        this.odd = odd;
        this.kind = kind;
        this.status = choice.oneIn(2);
    }

    /** What an honest frontend sends until its device is in service. */
    List<Message> setUp() {
        List<Message> all = new ArrayList<>();
        Stream.of(
                        SET_OWNER,
                        GET_FEATURES,
                        GET_PROTOCOL_FEATURES,
                        SET_PROTOCOL_FEATURES,
                        GET_QUEUE_NUM,
                        SET_FEATURES,
                        choice.oneIn(2) ? SET_MEM_TABLE : ADD_MEM_REG)
                .forEach(request -> all.add(good(request, 0)));
        int queues = 1 + choice.below(RandomGuest.QUEUES);
        for (int queue = 0; queue < queues; queue++) {
            for (FrontendRequest request :
                    List.of(
                            SET_VRING_NUM,
                            SET_VRING_BASE,
                            SET_VRING_ADDR,
                            SET_VRING_ERR,
                            SET_VRING_CALL,
                            SET_VRING_KICK,
                            SET_VRING_ENABLE)) {
                all.add(good(request, queue));
            }
        }
        if (status) {
            all.add(good(SET_STATUS, 0));
        }
        return all;
    }

    /** Any request, as it should be. */
    Message good() {
        return good(choice.of(List.of(FrontendRequest.values())), choice.below(RandomGuest.QUEUES));
    }

    private Message good(FrontendRequest request, int queue) {
        List<Fd> descriptors =
                switch (request) {
                    case SET_MEM_TABLE, ADD_MEM_REG -> List.of(guest.fd());
                    case SET_VRING_KICK -> List.of(guest.kick());
                    case SET_VRING_CALL, SET_VRING_ERR -> List.of(guest.call());
                    default -> List.of();
                };
        boolean needReply = choice.oneIn(2);
        Payload payload = payload(request, queue);
        ByteBuffer bytes =
                ByteBuffer.allocate(Header.SIZE + payload.encodedSize())
                        .order(ByteOrder.nativeOrder());
        Header.request(request, needReply, payload).write(bytes);
        payload.write(bytes);
        return new Message(request + " " + queue, bytes.array(), descriptors);
    }

    private Payload payload(FrontendRequest request, int queue) {
        long vring = new VringDescriptor(queue, true).payload().value();
        RegionDescription region =
                new RegionDescription(
                        RandomGuest.GUEST_ADDRESS,
                        RandomGuest.MEMORY_SIZE,
                        RandomGuest.USER_ADDRESS,
                        0);
        return switch (request) {
            case SET_FEATURES -> new Payload.U64(kind.features().low() | 1L << 30);
            case SET_PROTOCOL_FEATURES ->
                    new Payload.U64(
                            status
                                    ? PROTOCOL_FEATURES
                                            | ProtocolFeature.setOf(
                                                    ProtocolFeature.VHOST_USER_PROTOCOL_F_STATUS)
                                    : PROTOCOL_FEATURES);
            case SET_MEM_TABLE -> new Payload.MemoryTable(List.of(region));
            case ADD_MEM_REG, REM_MEM_REG -> new Payload.SingleRegion(region);
            case SET_VRING_NUM -> new Payload.VringState(queue, RandomGuest.SIZE);
            case SET_VRING_BASE ->
                    new Payload.VringState(queue, kind == Kind.PACKED ? 0x8000_8000 : 0);
            case GET_VRING_BASE -> new Payload.VringState(queue, 0);
            case SET_VRING_ENABLE -> new Payload.VringState(queue, 1);
            case SET_VRING_ADDR ->
                    new Payload.VringAddress(
                            queue,
                            0,
                            RandomGuest.descriptors(queue),
                            RandomGuest.used(queue),
                            RandomGuest.available(queue),
                            0);
            case SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR -> new Payload.U64(vring);
            case SET_STATUS -> new Payload.U64(DRIVER_IS_READY);
            case GET_CONFIG, SET_CONFIG -> new Payload.Config(32, 0, new byte[] {1});
            default -> new Payload.Opaque(new byte[request.payload().sizeMin()]);
        };
    }

    /** Makes something else of a message. */
    Message bad(Message good) {
        byte[] bytes = good.bytes().clone();
        List<Fd> descriptors = good.descriptors();
        ByteBuffer view = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
        String how;
        switch (bytes.length < Header.SIZE ? 0 : choice.below(9)) {
            case 0 -> {
                how = "any bytes";
                bytes = choice.bytes(1 + choice.below(200));
            }
            case 1 -> {
                how = "another request's number";
                view.putInt(0, choice.oneIn(2) ? choice.below(50) : (int) choice.number());
            }
            case 2 -> {
                how = "other flags";
                view.putInt(4, choice.oneIn(2) ? choice.below(16) : (int) choice.number());
            }
            case 3 -> {
                how = "another size, told";
                view.putInt(8, choice.oneIn(2) ? choice.below(64) : (int) choice.number());
            }
            case 4 -> {
                how = "another size, told and true";
                int size = choice.below(choice.oneIn(8) ? Header.PAYLOAD_MAX + 64 : 64);
                bytes = Arrays.copyOf(bytes, Header.SIZE + size);
                ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).putInt(8, size);
            }
            case 5 -> {
                how = "only a part";
                bytes = Arrays.copyOf(bytes, 1 + choice.below(bytes.length));
            }
            case 6 -> {
                how = "other descriptors";
                descriptors = descriptors(choice.oneIn(4) ? choice.below(254) : choice.below(4));
            }
            default -> {
                how = "other values";
                change(view);
            }
        }
        return new Message(good.name() + ", " + how, bytes, descriptors);
    }

    /** Puts numbers at turning points into the payload, and flags that want an answer. */
    private void change(ByteBuffer view) {
        int fields = (view.capacity() - Header.SIZE) / Integer.BYTES;
        for (int i = 0; i < fields; i++) {
            int at = Header.SIZE + i * Integer.BYTES;
            if (choice.oneIn(4) && at + Long.BYTES <= view.capacity()) {
                view.putLong(at, choice.number());
            } else if (choice.oneIn(4)) {
                view.putInt(at, (int) choice.number());
            }
        }
        view.putInt(4, view.getInt(4) | NEED_REPLY);
    }

    private List<Fd> descriptors(int count) {
        List<Fd> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            all.add(choice.oneIn(3) ? guest.fd() : odd.get(choice.of(odd.names())));
        }
        return all;
    }
}
