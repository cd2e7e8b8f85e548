"""One client's connection as a state machine without I/O: bytes in, events out; verdicts in, bytes out.

The shell (`blindrelay.relay.mqtt.listener`) calls `receive_data` and carries `events` to the exchange, which answers with
the verdict methods: `admit`, `refuse`, `answer`, `grant`, `release`, `deliver`, `reply`, `disconnect`. What they cause is
collected and handed out by `data_to_send`, once for everything that one commit or one segment caused.

The session holds what MQTT 5 says of one connection: packet identifiers and quotas of both directions, the order of
PUBACKs, what may be said in which state. It does *not* know sockets, clocks, mailboxes, identities or who may do what.

Every transition there is stands in `blindrelay.relay.mqtt.states`.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import mqtt5
from mqtt5 import ConnAckReasonCode, PubAckReasonCode, SubAckReasonCode, UnsubAckReasonCode
from mqtt5 import DisconnectReasonCode as Code

from blindrelay.protocol.sizes import MAX_PACKET
from blindrelay.relay.mqtt import gate
from blindrelay.relay.mqtt.filters import check_available
from blindrelay.relay.mqtt.gate import PacketRefused
from blindrelay.relay.mqtt.states import TRANSITIONS, Cause, State, WrongState
from blindrelay.relay.mqtt.walk import VersionRefused
from blindrelay.relay.ports import Envelope

# How many PUBLISHes a client may have without PUBACK. 64 hide a commit of 10 ms at 6,000 messages a second; twice that
# leaves room for a slow disk. It is also what one sender can put into one commit before others have their turn.
RECEIVE_MAXIMUM: Final = 128
# The same the other way, whatever the client offers (its default is 65,535): what has to be sent again after a cut.
DELIVERY_WINDOW: Final = 256
# Requests (SUBSCRIBE, UNSUBSCRIBE) that may wait for the store at once.
MAX_PENDING_REQUESTS: Final = 16
# What a client may send behind CONNECT before admission has decided. The shell stops reading at CONNECT; this is what one
# read of the network may bring with it, and bounds a shell that does not stop.
PIPELINE_LIMIT: Final = 1_048_576
# A client that wants to be silent for longer than this is told to speak sooner: a dead peer is to be noticed. Seconds.
KEEP_ALIVE_CAP: Final = 1_200

_PUBACK = struct.Struct(">BBH").pack


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Deliveries that the client has answered: their sequences, in the order of the PUBACKs."""

    sequences: list[int] = field(default_factory=list)


#: What `Session.events` returns: ConnectPacket, PublishPacket, SubscribePacket and UnsubscribePacket are the codec's values
#: behind the gate, and are requests; `Acknowledged` is done already.
Event = mqtt5.ConnectPacket | mqtt5.PublishPacket | Acknowledged | mqtt5.SubscribePacket | mqtt5.UnsubscribePacket


class Session:
    """The server's side of one MQTT 5 connection.

    Attributes (to be read alone):
        state: see `State`.
        keep_alive: seconds; 0 until admitted. The shell closes after 1.5 times as long without a packet.
        session_expiry: seconds that the session outlives the connection, as the client last said.
        packets: control packets received so far: the shell's keep alive looks at it.
        unknown_acks: PUBACKs for nothing in flight: ignored and counted.
        refused_deliveries: PUBACKs with a code of 0x80 or above (decision D11).
        refused_with, parted_with: the reason code of our CONNACK that refused it, or of our DISCONNECT that ended it.
        queued: bytes that wait for `data_to_send`.
    """

    __slots__ = (
        "_asked",
        "_events",
        "_in_flight",
        "_max_packet",
        "_needed",
        "_out",
        "_partial",
        "_problem_info",
        "_refusals",
        "_requests",
        "_unanswered",
        "_window",
        "keep_alive",
        "packets",
        "parted_with",
        "queued",
        "refused_deliveries",
        "refused_with",
        "session_expiry",
        "state",
        "unknown_acks",
    )

    def __init__(self) -> None:
        self.state = State.EXPECTING_CONNECT
        self.keep_alive = 0
        self.session_expiry = 0
        self.packets = 0
        self.unknown_acks = 0
        self.refused_deliveries = 0
        self.refused_with: int | None = None
        self.parted_with: int | None = None
        self.queued = 0
        self._events: list[Event] = []
        self._out: list[bytes] = []
        self._partial = bytearray()  # an incomplete packet, or everything while admission decides
        self._needed = 0  # how long `_partial` has to be before it is worth a look
        self._unanswered: dict[int, bytes | None] = {}  # packet id -> its PUBACK, once decided; in order of arrival
        self._refusals = 0
        self._requests: set[int] = set()
        self._in_flight: dict[int, int] = {}  # packet id -> sequence
        self._window = 0
        self._asked = (0, 0)  # keep alive and session expiry of CONNECT
        self._max_packet = 0
        self._problem_info = True

    def _move(self, cause: Cause) -> None:
        target = TRANSITIONS[self.state].get(cause)
        if target is None:
            raise WrongState(f"{cause.value} is impossible while {self.state.value}")
        self.state = target
        if target is State.CLOSED:
            self._partial = bytearray()
            self._unanswered.clear()
            self._requests.clear()
            self._in_flight.clear()

    # Bytes in, events out.

    @property
    def is_partial(self) -> bool:
        """Whether a packet has begun to arrive and is not complete. Its sender has limited time."""
        return bool(self._partial) and self.state is not State.DECIDING

    @property
    def pipelined(self) -> int:
        """How many bytes wait for what is being decided."""
        return len(self._partial)

    def receive_data(self, data: bytes) -> None:
        """Take what the network brought, however it was cut. Never raises because of what is in it."""
        if self._partial:
            self._partial += data
            if self.state is State.DECIDING:
                self._bound_pipeline()
                return
            if len(self._partial) < self._needed:
                return
            data = bytes(self._partial)
            self._partial = bytearray()
        try:
            self._read_packets(data)
        except PacketRefused as refusal:
            self._violated(refusal)

    def events(self) -> list[Event]:
        """What has happened since the last call, in order."""
        events = self._events
        if events:
            self._events = []
        return events

    def _read_packets(self, data: bytes) -> None:
        position, size = 0, len(data)
        while position < size:
            if self.state is not State.CONNECTED:
                if self.state is State.CLOSED:
                    return  # [3.1.4-6], [3.14.4-1]
                if self.state is State.DECIDING:
                    break
                self._expect_connect(data[position])
            framed = gate.frame(data, position)
            if framed is None or framed[1] > size:
                self._needed = framed[1] - position if framed else 0
                break
            body, end = framed
            self.packets += 1
            packet = gate.parse(data, position, body, end)
            _HANDLERS[type(packet)](self, packet)
            position = end
        if position < size and self.state is not State.CLOSED:
            self._partial += data[position:]
            self._bound_pipeline()

    def _bound_pipeline(self) -> None:
        if self.state is State.DECIDING and len(self._partial) > PIPELINE_LIMIT:
            self._move(Cause.DROPPED)

    def _expect_connect(self, first: int) -> None:
        if first != gate.CONNECT:
            # [3.1.0-1] Nothing is sent, and nothing of it is collected.
            self._move(Cause.DROPPED)
            raise PacketRefused(Code.PROTOCOL_ERROR, "the first packet is not CONNECT")

    def _violated(self, refusal: PacketRefused) -> None:
        if self.state is State.EXPECTING_CONNECT:
            code = ConnAckReasonCode(int(refusal.code))
            if isinstance(refusal, VersionRefused):
                code = ConnAckReasonCode.UNSUPPORTED_PROTOCOL_VERSION
            self.refuse(code, refusal.reason)
        else:
            self.disconnect(refusal.code, refusal.reason)

    # Packets of the client.

    def _connect(self, packet: mqtt5.ConnectPacket) -> None:
        if self.state is not State.EXPECTING_CONNECT:
            raise PacketRefused(Code.PROTOCOL_ERROR, "a second CONNECT")  # [3.1.0-2]
        if packet.authentication_method is not None:  # [4.12.0-1]
            self.refuse(ConnAckReasonCode.BAD_AUTHENTICATION_METHOD, "there is no enhanced authentication here")
            return
        if packet.max_packet_size is not None and packet.max_packet_size < MAX_PACKET:  # decision D7
            reason = f"Maximum Packet Size is below {MAX_PACKET}: accepted messages could not be delivered"
            self.refuse(ConnAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR, reason)
            return
        self._max_packet = packet.max_packet_size or 0
        self._problem_info = packet.request_problem_info
        self._window = min(packet.receive_max, DELIVERY_WINDOW)
        self.keep_alive = packet.keep_alive if 0 < packet.keep_alive <= KEEP_ALIVE_CAP else KEEP_ALIVE_CAP
        self.session_expiry = packet.session_expiry_interval
        self._asked = (packet.keep_alive, packet.session_expiry_interval)
        self._move(Cause.CONNECT)
        self._events.append(packet)

    def _publish(self, packet: mqtt5.PublishPacket) -> None:
        unanswered = self._unanswered
        if len(unanswered) >= RECEIVE_MAXIMUM:  # [3.3.4-7]
            raise PacketRefused(Code.RECEIVE_MAX_EXCEEDED, f"more than {RECEIVE_MAXIMUM} PUBLISHes without PUBACK")
        packet_id = packet.packet_id
        if packet_id in unanswered or packet_id in self._requests:  # [2.2.1-3]
            self._refusals += 1  # it has a place in the order of PUBACKs, and no id of its own
            unanswered[-self._refusals] = self._puback(packet_id, PubAckReasonCode.PACKET_ID_IN_USE, "packet id in use")
            self._flush_answers()
            return
        unanswered[packet_id] = None  # type: ignore[index]
        self._events.append(packet)

    def _puback_received(self, packet: mqtt5.PubAckPacket) -> None:
        sequence = self._in_flight.pop(packet.packet_id, None)
        if sequence is None:
            self.unknown_acks += 1
            return
        if packet.reason_code is not PubAckReasonCode.SUCCESS and int(packet.reason_code) >= 0x80:
            self.refused_deliveries += 1  # [4.4.0-2], decision D11: as good as acknowledged
        events = self._events
        if events and type(last := events[-1]) is Acknowledged:
            last.sequences.append(sequence)
        else:
            events.append(Acknowledged([sequence]))

    def _subscribe(self, packet: mqtt5.SubscribePacket) -> None:
        for wanted in packet.topic_filters:
            check_available(wanted.pattern)
        if self._is_in_use(packet.packet_id):
            code = SubAckReasonCode.PACKET_ID_IN_USE
        elif len(self._requests) >= MAX_PENDING_REQUESTS:
            code = SubAckReasonCode.QUOTA_EXCEEDED
        else:
            self._requests.add(packet.packet_id)
            self._events.append(packet)
            return
        self._send(mqtt5.SubAckPacket(packet.packet_id, [code] * len(packet.topic_filters)).write())

    def _unsubscribe(self, packet: mqtt5.UnsubscribePacket) -> None:
        if self._is_in_use(packet.packet_id):
            code = UnsubAckReasonCode.PACKET_ID_IN_USE
        elif len(self._requests) >= MAX_PENDING_REQUESTS:
            code = UnsubAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR  # UNSUBACK knows no "quota exceeded"
        else:
            self._requests.add(packet.packet_id)
            self._events.append(packet)
            return
        self._send(mqtt5.UnsubAckPacket(packet.packet_id, [code] * len(packet.patterns)).write())

    def _is_in_use(self, packet_id: int) -> bool:
        return packet_id in self._requests or packet_id in self._unanswered

    def _pingreq(self, _: mqtt5.PingReqPacket) -> None:
        self._send(b"\xd0\x00")  # [3.12.4-1]

    def _disconnect(self, packet: mqtt5.DisconnectPacket) -> None:
        expiry = packet.session_expiry_interval
        if expiry is not None:
            if expiry and not self._asked[1]:
                raise PacketRefused(Code.PROTOCOL_ERROR, "DISCONNECT raises Session Expiry from 0")
            self.session_expiry = expiry
        self._move(Cause.LEFT)

    # Verdicts in, bytes out.

    def admit(self, *, assigned_client_id: str | None, session_present: bool, session_expiry: int) -> None:
        """CONNACK 0x00, and what the client has sent meanwhile is read. `session_expiry` is the one that will hold."""
        self._move(Cause.ADMITTED)
        asked_keep_alive, asked_expiry = self._asked
        self._send(
            mqtt5.ConnAckPacket(
                session_present=session_present,
                session_expiry_interval=session_expiry if session_expiry != asked_expiry else None,
                assigned_client_id=assigned_client_id,
                server_keep_alive=self.keep_alive if self.keep_alive != asked_keep_alive else None,
                receive_max=RECEIVE_MAXIMUM,
                max_qos=mqtt5.QoS.AT_LEAST_ONCE,
                retain_available=False,
                max_packet_size=MAX_PACKET,
                wildcard_subscription_available=False,
                subscription_id_available=False,
                shared_subscription_available=False,
            ).write()
        )
        self.session_expiry = session_expiry
        if self._partial:
            data, self._partial = bytes(self._partial), bytearray()
            self.receive_data(data)

    def refuse(self, code: ConnAckReasonCode, reason: str, elsewhere: str | None = None) -> None:
        """CONNACK with a code of 0x80 or above; the connection ends [3.2.2-7] and what is behind CONNECT is not read.

        `elsewhere` is the Server Reference [3.2.2.3.16].
        """
        self._move(Cause.REFUSED)
        self.refused_with = int(code)
        self._send(mqtt5.ConnAckPacket(reason_code=code, reason_str=reason, server_reference=elsewhere).write())

    def answer(
        self, packet_id: int, code: PubAckReasonCode = PubAckReasonCode.SUCCESS, reason: str | None = None
    ) -> None:
        """PUBACK for a PUBLISH, sent as soon as all before it have theirs. After the end of the connection: nothing."""
        if self.state is not State.CONNECTED:
            return
        unanswered = self._unanswered
        answer = (
            _PUBACK(gate.PUBACK, 2, packet_id)
            if code is PubAckReasonCode.SUCCESS
            else self._puback(packet_id, code, reason)
        )
        if packet_id not in unanswered or unanswered[packet_id] is not None:
            raise WrongState(f"PUBLISH {packet_id} has its answer, or was never received")
        unanswered[packet_id] = answer
        self._flush_answers()

    def _flush_answers(self) -> None:
        unanswered = self._unanswered
        while unanswered:
            packet_id = next(iter(unanswered))
            answer = unanswered[packet_id]
            if answer is None:
                return
            del unanswered[packet_id]
            self._out.append(answer)
            self.queued += len(answer)

    def _puback(self, packet_id: int | None, code: PubAckReasonCode, reason: str | None) -> bytes:
        assert packet_id is not None  # noqa: S101 - the gate lets no PUBLISH of QoS 0 through
        whole = mqtt5.PubAckPacket(packet_id, reason_code=code, reason_str=self._reason(reason)).write()
        return whole if self._fits(whole) else mqtt5.PubAckPacket(packet_id, reason_code=code).write()

    def grant(self, packet_id: int, codes: list[SubAckReasonCode], reason: str | None = None) -> None:
        """SUBACK: a code for each filter, in their order [3.8.4-6]."""
        if self.state is State.CONNECTED:
            self._requests.remove(packet_id)
            whole = mqtt5.SubAckPacket(packet_id, codes, reason_str=self._reason(reason)).write()
            self._send(whole if self._fits(whole) else mqtt5.SubAckPacket(packet_id, codes).write())

    def release(self, packet_id: int, codes: list[UnsubAckReasonCode]) -> None:
        """UNSUBACK: a code for each filter, in their order [3.11.3-1]."""
        if self.state is State.CONNECTED:
            self._requests.remove(packet_id)
            self._send(mqtt5.UnsubAckPacket(packet_id, codes).write())

    @property
    def window(self) -> int:
        """How many more deliveries may be in flight now [3.3.4-9]. 0 unless connected."""
        return self._window - len(self._in_flight) if self.state is State.CONNECTED else 0

    def deliver(self, packet_id: int, topic: str, envelope: Envelope, *, expiry: int | None, again: bool) -> None:
        """PUBLISH of QoS 1 to the client. Its PUBACK comes back as `Acknowledged`, with the envelope's sequence.

        `expiry` is what is left, in seconds; `again` sets DUP. The caller has looked at `window`, and `packet_id` is not in
        flight [4.3.2-1].
        """
        in_flight = self._in_flight
        if packet_id in in_flight or len(in_flight) >= self._window or self.state is not State.CONNECTED:
            raise WrongState(f"no delivery under packet id {packet_id} now")
        in_flight[packet_id] = envelope.sequence
        data = mqtt5.PublishPacket(
            topic,
            envelope.payload,
            qos=_QOS_1,
            packet_id=packet_id,
            duplicate=again,
            message_expiry_interval=expiry,
            correlation_data=envelope.message_id,
        ).write()
        self._out.append(data)
        self.queued += len(data)

    def reply(self, topic: str, payload: bytes, correlation: bytes | None) -> bool:
        """PUBLISH of QoS 0: the answer to a request. False when it is too large for the client: then nothing is sent."""
        data = mqtt5.PublishPacket(topic, payload, correlation_data=correlation).write()
        if self.state is not State.CONNECTED or not self._fits(data):  # [3.1.2-24]
            return False
        self._send(data)
        return True

    def disconnect(self, code: Code, reason: str | None = None, elsewhere: str | None = None) -> None:
        """End the connection: DISCONNECT when there was a CONNACK 0x00, silently otherwise [3.14.0-1].

        `elsewhere` is the Server Reference [3.14.2.2.5].
        """
        if self.state is State.CLOSED:
            return
        if self.state is not State.CONNECTED:
            self._move(Cause.DROPPED)
            return
        self._move(Cause.DISCONNECTED)
        self.parted_with = int(code)
        whole = mqtt5.DisconnectPacket(reason_code=code, reason_str=reason, server_reference=elsewhere).write()
        self._send(whole if self._fits(whole) else mqtt5.DisconnectPacket(reason_code=code).write())

    def drop(self) -> None:
        """The connection is gone: nothing more comes or goes."""
        if self.state is not State.CLOSED:
            self._move(Cause.DROPPED)
        self._out.clear()
        self.queued = 0

    def data_to_send(self) -> bytes:
        """Everything that is to be written, as one piece; then it is forgotten."""
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        self._out = []
        self.queued = 0
        return data

    def _send(self, data: bytes) -> None:
        self._out.append(data)
        self.queued += len(data)

    def _fits(self, data: bytes) -> bool:
        return not self._max_packet or len(data) <= self._max_packet

    def _reason(self, reason: str | None) -> str | None:
        return reason if self._problem_info else None  # [3.1.2-29]


_QOS_1: Final = mqtt5.QoS.AT_LEAST_ONCE


_HANDLERS: Final[dict[type, Callable[[Session, Any], None]]] = {
    mqtt5.PublishPacket: Session._publish,
    mqtt5.PubAckPacket: Session._puback_received,
    mqtt5.PingReqPacket: Session._pingreq,
    mqtt5.ConnectPacket: Session._connect,
    mqtt5.SubscribePacket: Session._subscribe,
    mqtt5.UnsubscribePacket: Session._unsubscribe,
    mqtt5.DisconnectPacket: Session._disconnect,
}
