"""The session without a network: what may be said when, packet identifiers, quotas, the order of answers.

Every transition of `states.TRANSITIONS` is walked; bug classes M3, M5, M8, Q4, R2, R5.
"""

import inspect
import itertools
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import mqtt5
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqtt5 import ConnAckReasonCode, PubAckReasonCode, QoS, SubAckReasonCode, UnsubAckReasonCode
from mqtt5 import DisconnectReasonCode as Code

from blindrelay.protocol.sizes import MAX_PACKET
from blindrelay.relay.mqtt.session import (
    DELIVERY_WINDOW,
    KEEP_ALIVE_CAP,
    MAX_PENDING_REQUESTS,
    PIPELINE_LIMIT,
    RECEIVE_MAXIMUM,
    Acknowledged,
    Session,
)
from blindrelay.relay.mqtt.states import TRANSITIONS, Cause, State, WrongState
from support.twin import message, subscribe_to

CONNECT = mqtt5.ConnectPacket("c1", clean_start=True, keep_alive=60)


def sent(session: Session) -> list[Any]:
    """What the session has written, as packets."""
    view = memoryview(session.data_to_send())
    packets = []
    while view:
        packet, size = mqtt5.read(view)
        packets.append(packet)
        view = view[size:]
    return packets


def connected(connect: mqtt5.ConnectPacket = CONNECT, **verdict: Any) -> Session:
    session = Session()
    session.receive_data(connect.write())
    session.events()
    session.admit(**({"assigned_client_id": None, "session_present": False, "session_expiry": 0} | verdict))
    session.data_to_send()
    return session


def deliver(session: Session, sequence: int, **options: Any) -> None:
    envelope: Any = SimpleNamespace(sequence=sequence, payload=b"payload", message_id=b"i" * 16)
    session.deliver(
        options.pop("packet_id", sequence), "inbox/1", envelope, **({"expiry": 5, "again": False} | options)
    )


def only(packets: list[Any]) -> Any:
    assert len(packets) == 1
    return packets[0]


# What moves the session.


def walk_to(state: State) -> Session:
    session = Session()
    if state is State.CLOSED:
        session.drop()
    elif state is not State.EXPECTING_CONNECT:
        session.receive_data(CONNECT.write())
        if state is State.CONNECTED:
            session.admit(assigned_client_id=None, session_present=False, session_expiry=0)
    session.data_to_send()
    session.events()
    assert session.state is state
    return session


CAUSES: dict[Cause, Callable[[Session], None]] = {
    Cause.CONNECT: lambda session: session.receive_data(CONNECT.write()),
    Cause.ADMITTED: lambda session: session.admit(assigned_client_id=None, session_present=False, session_expiry=0),
    Cause.REFUSED: lambda session: session.refuse(ConnAckReasonCode.NOT_AUTHORIZED, "no"),
    Cause.LEFT: lambda session: session.receive_data(b"\xe0\x00"),
    Cause.DISCONNECTED: lambda session: session.disconnect(Code.ADMINISTRATIVE_ACTION, "go"),
    Cause.DROPPED: lambda session: session.drop(),
}


@pytest.mark.parametrize(
    ("state", "cause"), [(state, cause) for state, table in TRANSITIONS.items() for cause in table], ids=str
)
def test_transition(state: State, cause: Cause) -> None:
    """Every transition of the table can be walked, and ends where the table says."""
    session = walk_to(state)
    CAUSES[cause](session)
    assert session.state is TRANSITIONS[state][cause]


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (State.EXPECTING_CONNECT, Cause.ADMITTED),
        (State.CONNECTED, Cause.ADMITTED),
        (State.CONNECTED, Cause.REFUSED),
        (State.CLOSED, Cause.ADMITTED),
        (State.CLOSED, Cause.REFUSED),
    ],
)
def test_verdict_in_the_wrong_state_raises_and_changes_nothing(state: State, verdict: Cause) -> None:
    """One CONNACK, at its time: [3.2.0-1], [3.2.0-2]."""
    session = walk_to(state)
    with pytest.raises(WrongState):
        CAUSES[verdict](session)
    assert session.state is state
    assert session.data_to_send() == b""


# CONNECT.


@pytest.mark.parametrize(
    "first", [b"\x32", b"\xc0\x00", b"\xe0\x00", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n", b"\x20\x00"]
)
def test_first_packet_that_is_not_connect_closes_silently(first: bytes) -> None:
    """[3.1.0-1], class M2: the first byte decides, nothing is kept and nothing is sent."""
    session = Session()
    session.receive_data(first[:1])
    assert session.state is State.CLOSED
    session.receive_data(first[1:] + b"x" * 1_000)
    assert (session.data_to_send(), session.events(), session.pipelined) == (b"", [], 0)


def test_second_connect_is_a_protocol_error() -> None:
    """[3.1.0-2]."""
    session = connected()
    session.receive_data(CONNECT.write())
    assert only(sent(session)).reason_code == Code.PROTOCOL_ERROR
    assert session.state is State.CLOSED


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", ConnAckReasonCode.UNSUPPORTED_PROTOCOL_VERSION),
        (b"\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x00", ConnAckReasonCode.UNSUPPORTED_PROTOCOL_VERSION),
        (b"\x10\x0d\x00\x04MQTT\x05\x03\x00\x3c\x00\x00\x00", ConnAckReasonCode.MALFORMED_PACKET),
        (b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x03\x21\x00\x00\x00\x00", ConnAckReasonCode.PROTOCOL_ERROR),
        (mqtt5.ConnectPacket("c1", will=mqtt5.Will("w")).write(), ConnAckReasonCode.TOPIC_NAME_INVALID),
        (
            mqtt5.ConnectPacket("c1", will=mqtt5.Will("w", qos=QoS.EXACTLY_ONCE)).write(),
            ConnAckReasonCode.QUALITY_NOT_SUPPORTED,
        ),
        (mqtt5.ConnectPacket("c1", will=mqtt5.Will("w", retain=True)).write(), ConnAckReasonCode.RETAIN_NOT_SUPPORTED),
        (
            mqtt5.ConnectPacket("c1", authentication_method="SCRAM-SHA-256").write(),
            ConnAckReasonCode.BAD_AUTHENTICATION_METHOD,
        ),
        (
            mqtt5.ConnectPacket("c1", max_packet_size=MAX_PACKET - 1).write(),
            ConnAckReasonCode.IMPLEMENTATION_SPECIFIC_ERROR,
        ),
        (b"\x10\xff\xff\x03", ConnAckReasonCode.PACKET_TOO_LARGE),
    ],
    ids=[
        "3.1.1",
        "3.1",
        "reserved flag",
        "receive maximum 0",
        "will",
        "will QoS 2",
        "will retain",
        "auth method",
        "D7",
        "large",
    ],
)
def test_refused_connect_gets_connack_and_what_follows_is_not_read(data: bytes, code: ConnAckReasonCode) -> None:
    """[3.1.2-1], [3.1.2-2], [3.1.4-1], [3.1.4-6], [3.2.2-1], [3.2.2-6], [3.2.2-7], [3.2.2-8], [3.2.2-12], [3.2.2-13],
    [4.12.0-1], [4.13.1-1], [4.13.2-1]; decisions D7, D12; class M8."""
    session = Session()
    session.receive_data(data + message(1).write() + b"\xc0\x00")
    connack = only(sent(session))
    assert connack.reason_code == code
    assert not connack.session_present
    assert session.state is State.CLOSED
    assert session.events() == []


def test_connack_says_what_is_not_available() -> None:
    """Section 1: what is absent from CONNACK would count as supported.

    [3.1.4-5], [3.2.2-2], [3.2.2-3], [3.2.2-9], [3.2.2-10], [3.1.2-28].
    """
    session = Session()
    session.receive_data(CONNECT.write())
    session.admit(assigned_client_id=None, session_present=True, session_expiry=0)
    connack = only(sent(session))
    assert connack.session_present  # [3.2.2-2], [3.2.2-3]
    assert connack.max_qos == QoS.AT_LEAST_ONCE
    assert not connack.retain_available
    assert not connack.wildcard_subscription_available
    assert not connack.subscription_id_available
    assert not connack.shared_subscription_available
    assert connack.topic_alias_max == 0
    assert connack.receive_max == RECEIVE_MAXIMUM
    assert connack.max_packet_size == MAX_PACKET
    assert connack.server_keep_alive is None
    assert connack.session_expiry_interval is None
    assert connack.assigned_client_id is None
    assert connack.response_info is None


@pytest.mark.parametrize(("asked", "told"), [(0, KEEP_ALIVE_CAP), (65_535, KEEP_ALIVE_CAP), (30, None)])
def test_server_keep_alive_when_ours_counts(asked: int, told: int | None) -> None:
    """[3.2.2-22]: the client's value counts unless we say another."""
    session = Session()
    session.receive_data(mqtt5.ConnectPacket("c1", keep_alive=asked).write())
    session.admit(assigned_client_id="new", session_present=False, session_expiry=7)
    connack = only(sent(session))
    assert connack.server_keep_alive == told
    assert session.keep_alive == told or asked
    assert (connack.assigned_client_id, connack.session_expiry_interval) == (
        "new",
        7,
    )  # [3.2.2-16], [3.1.3-6], [3.1.3-7]


def test_packets_behind_connect_wait_for_admission() -> None:
    """Pipelined packets are read after CONNACK, and in their order."""
    session = Session()
    session.receive_data(CONNECT.write() + subscribe_to("inbox/1").write())
    session.receive_data(message(1).write() + b"\xc0\x00")
    assert [type(event) for event in session.events()] == [mqtt5.ConnectPacket]
    assert session.data_to_send() == b""

    session.admit(assigned_client_id=None, session_present=False, session_expiry=0)

    assert [type(event) for event in session.events()] == [mqtt5.SubscribePacket, mqtt5.PublishPacket]
    assert [type(packet) for packet in sent(session)] == [mqtt5.ConnAckPacket, mqtt5.PingRespPacket]


def test_what_waits_for_admission_is_bounded() -> None:
    """A stranger cannot fill our memory behind a CONNECT, M1."""
    session = Session()
    session.receive_data(CONNECT.write())
    for _ in range(PIPELINE_LIMIT // 65_536 + 1):
        session.receive_data(b"\xc0\x00" * 32_768)
    assert session.state is State.CLOSED
    assert session.pipelined == 0
    assert session.data_to_send() == b""  # [3.14.0-1]


# Bytes.


def script() -> bytes:
    """A long enough conversation of a client, with an end that must not be read."""
    packets = [
        CONNECT,
        subscribe_to("inbox/1"),
        message(1),
        mqtt5.PubAckPacket(4_000),
        message(2, duplicate=True),
        mqtt5.PingReqPacket(),
        mqtt5.UnsubscribePacket(60_001, ["inbox/1"]),
        message(2),
        message(3),
        mqtt5.DisconnectPacket(),
        message(4),
    ]
    return b"".join(packet.write() for packet in packets)


def play(chunks: list[bytes]) -> tuple[list[str], bytes, int]:
    session = Session()
    events: list[str] = []
    written = b""
    for chunk in chunks:
        session.receive_data(chunk)
        for event in session.events():
            events.append(repr(event))
            if isinstance(event, mqtt5.ConnectPacket):
                session.admit(assigned_client_id=None, session_present=False, session_expiry=0)
        events += map(repr, session.events())
        written += session.data_to_send()
    return events, written, session.packets


WHOLE = play([script()])


def test_script_does_what_it_says() -> None:
    """The events of the script, for what the next test compares with."""
    assert [event.split("(")[0] for event in WHOLE[0]] == [
        "ConnectPacket",
        "SubscribePacket",
        "PublishPacket",
        "PublishPacket",
        "UnsubscribePacket",
        "PublishPacket",
    ]
    assert WHOLE[2] == 10


@settings(max_examples=60)
@given(st.lists(st.integers(0, len(script())), max_size=30))
def test_cuts_are_invisible(cuts: list[int]) -> None:
    """However the network cuts the stream, a session sees the same events and says the same (2.1, last line)."""
    data = script()
    edges = [0, *sorted(cuts), len(data)]
    assert play([data[a:b] for a, b in itertools.pairwise(edges)]) == WHOLE


def test_one_byte_at_a_time() -> None:
    """Nor does it matter when each byte comes alone."""
    data = script()
    assert play([data[i : i + 1] for i in range(len(data))]) == WHOLE


def test_dripping_takes_linear_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A packet that comes byte by byte is looked at a bounded number of times in all, M3."""
    from blindrelay.relay.mqtt import gate

    looks = []
    frame = gate.frame
    monkeypatch.setattr(gate, "frame", lambda data, start: looks.append(len(data)) or frame(data, start))
    session = connected()
    data = message(1, size=100_000).write()
    for i in range(len(data)):
        session.receive_data(data[i : i + 1])
    assert len(session.events()) == 1
    assert len(looks) <= 6


def test_oversized_packet_ends_at_its_header() -> None:
    """[3.2.2-15], M1: refused before its body is there, and the rest of the stream is not read as packets, M5."""
    session = connected()
    session.receive_data(b"\x32\xff\xff\xff\x7f")
    assert only(sent(session)).reason_code == Code.PACKET_TOO_LARGE
    session.receive_data(message(1).write())
    assert session.events() == []


def test_packets_before_a_violation_count() -> None:
    """What was good is an event; what comes behind the bad packet is not."""
    session = connected()
    session.receive_data(message(1).write() + b"\xff\x00" + message(2).write())
    assert only(session.events()).packet_id == 1
    assert only(sent(session)).reason_code == Code.MALFORMED_PACKET
    session.answer(1)
    assert session.data_to_send() == b""  # [3.14.4-1]: nothing after DISCONNECT


GARBAGE = [
    packet.write()
    for packet in (
        CONNECT,
        message(1),
        mqtt5.PubAckPacket(1),
        mqtt5.PubRelPacket(1),
        subscribe_to("a"),
        mqtt5.UnsubscribePacket(2, ["a"]),
        mqtt5.PingReqPacket(),
        mqtt5.DisconnectPacket(),
        mqtt5.AuthPacket(),
        mqtt5.ConnAckPacket(),
    )
]


@settings(max_examples=300)
@given(
    st.sampled_from(list(State)),
    st.lists(st.tuples(st.sampled_from(GARBAGE), st.integers(0, 400), st.binary(max_size=3))),
)
def test_no_packet_in_any_state_breaks_the_session(state: State, packets: list[tuple[bytes, int, bytes]]) -> None:
    """Class M7: every type, damaged or not, in every state; the session goes on, waits or is closed, and nothing is raised."""
    session = walk_to(state)
    for data, at, put_in in packets:
        session.receive_data(data[:at] + put_in + data[at + len(put_in) :])
        for event in session.events():
            if isinstance(event, mqtt5.PublishPacket):
                session.answer(event.packet_id or 0)
        said = sent(session)
        assert all(type(packet) is not mqtt5.AuthPacket for packet in said)
        if session.state is State.CLOSED:
            assert (session.pipelined, session.window, session._unanswered, session._in_flight) == (0, 0, {}, {})


def test_a_storm_of_packets_leaves_nothing_behind() -> None:
    """Classes M7 and Q4: after a storm of good and odd packets the session holds what it held before."""
    session = connected()
    storm = (message(1).write() + mqtt5.PubAckPacket(9).write() + b"\xc0\x00") * 100
    for _ in range(340):
        session.receive_data(storm[: len(storm) // 100] * 10)
        for event in session.events():
            assert isinstance(event, mqtt5.PublishPacket)
        session.answer(1)
        session.data_to_send()
    assert session.packets > 10_000
    assert (session._unanswered, session._in_flight, session._out, session._events) == ({}, {}, [], [])


# PUBLISH from the client.


def test_pubacks_leave_in_the_order_of_the_publishes() -> None:
    """2.7, last line: decided out of order, said in order; one each [4.3.2-4], with the ids [2.2.1-5]."""
    session = connected()
    session.receive_data(b"".join(message(number).write() for number in (5, 3, 9)))
    session.answer(9)
    session.answer(3, PubAckReasonCode.QUOTA_EXCEEDED, "full")
    assert session.data_to_send() == b""
    session.answer(5)
    assert [(ack.packet_id, int(ack.reason_code)) for ack in sent(session)] == [(5, 0), (3, 0x97), (9, 0)]


def test_no_publish_is_answered_twice() -> None:
    """[4.3.2-4]: a second answer is a bug of ours and raises."""
    session = connected()
    session.receive_data(message(1).write())
    session.answer(1)
    with pytest.raises(WrongState):
        session.answer(1)


def test_id_still_unanswered_is_refused() -> None:
    """[2.2.1-3]: PUBACK 0x91 in its turn; the first one gets its own answer."""
    session = connected()
    session.receive_data(message(1).write() + message(2, packet_id=1).write())
    assert len(session.events()) == 1
    assert session.data_to_send() == b""
    session.answer(1)
    assert [(ack.packet_id, int(ack.reason_code)) for ack in sent(session)] == [(1, 0), (1, 0x91)]


def test_id_is_free_after_its_puback() -> None:
    """[4.3.2-5]: the same id is a new message then, DUP or not."""
    session = connected()
    for duplicate in (False, True):
        session.receive_data(message(1, duplicate=duplicate).write())
        assert len(session.events()) == 1
        session.answer(1)


def test_receive_maximum_of_ours() -> None:
    """[3.3.4-7]: one more without PUBACK than we allowed ends the connection; refusals free their place."""
    session = connected()
    session.receive_data(b"".join(message(number).write() for number in range(1, RECEIVE_MAXIMUM + 1)))
    assert len(session.events()) == RECEIVE_MAXIMUM
    session.answer(1, PubAckReasonCode.NOT_AUTHORIZED, "no")
    session.receive_data(message(1_000).write())
    assert session.state is State.CONNECTED
    session.data_to_send()
    session.receive_data(message(1_001).write())
    assert only(sent(session)).reason_code == Code.RECEIVE_MAX_EXCEEDED


def test_subscribe_under_a_publishs_id() -> None:
    """One id space for all that the client begins: SUBACK and UNSUBACK 0x91 [2.2.1-3], [2.2.1-6]."""
    session = connected()
    session.receive_data(message(7).write() + subscribe_to("a", "b", packet_id=7).write())
    session.receive_data(mqtt5.UnsubscribePacket(7, ["a"]).write())
    suback, unsuback = sent(session)
    assert (suback.packet_id, [int(code) for code in suback.reason_codes]) == (7, [0x91, 0x91])
    assert (unsuback.packet_id, [int(code) for code in unsuback.reason_codes]) == (7, [0x91])


# SUBSCRIBE.


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("a/+", Code.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED),
        ("#", Code.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED),
        ("$share/g/a", Code.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED),
    ],
)
def test_unavailable_filter_ends_the_connection(pattern: str, code: Code) -> None:
    """CONNACK said so: section 1."""
    session = connected()
    session.receive_data(subscribe_to("fine", pattern).write())
    assert session.events() == []
    assert only(sent(session)).reason_code == code


def test_requests_that_wait_are_bounded() -> None:
    """A flood of SUBSCRIBE on a slow store is answered with 0x97, of UNSUBSCRIBE with 0x83."""
    session = connected()
    for packet_id in range(1, MAX_PENDING_REQUESTS + 1):
        session.receive_data(subscribe_to("a", packet_id=packet_id).write())
    session.receive_data(subscribe_to("a", packet_id=100).write() + mqtt5.UnsubscribePacket(101, ["a"]).write())
    assert [int(packet.reason_codes[0]) for packet in sent(session)] == [0x97, 0x83]
    session.grant(1, [SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE])
    session.release(2, [UnsubAckReasonCode.SUCCESS])
    assert [packet.packet_id for packet in sent(session)] == [1, 2]  # [3.8.4-2], [3.10.4-4]


# PUBLISH to the client.


def test_delivery_and_its_acknowledgement() -> None:
    """[2.2.1-4], [4.3.2-1], [4.3.2-2], [4.3.2-3]: under our id, DUP as told, in flight until PUBACK."""
    session = connected()
    deliver(session, 70_000, packet_id=4_466)
    publish = only(sent(session))
    assert (publish.packet_id, publish.qos, publish.duplicate) == (4_466, QoS.AT_LEAST_ONCE, False)
    assert publish.message_expiry_interval == 5
    assert session.window == DELIVERY_WINDOW - 1
    session.receive_data(mqtt5.PubAckPacket(4_466).write())
    assert only(session.events()) == Acknowledged([70_000])
    assert session.window == DELIVERY_WINDOW


def test_acknowledgements_of_one_segment_are_one_event() -> None:
    """In their order, and other events between them keep their place."""
    session = connected()
    for sequence in (1, 2, 3):
        deliver(session, sequence)
    acks = [mqtt5.PubAckPacket(packet_id).write() for packet_id in (2, 1, 3)]
    session.receive_data(acks[0] + acks[1] + message(9).write() + acks[2])
    first, publish, last = session.events()
    assert (first, last) == (Acknowledged([2, 1]), Acknowledged([3]))
    assert isinstance(publish, mqtt5.PublishPacket)


def test_unknown_and_repeated_pubacks_are_ignored_and_counted() -> None:
    """2.5, last line; class Q4: a storm of them leaves nothing behind."""
    session = connected()
    deliver(session, 1)
    session.receive_data(mqtt5.PubAckPacket(1).write() * 1_000 + mqtt5.PubAckPacket(77).write() * 1_000)
    assert only(session.events()) == Acknowledged([1])
    assert session.unknown_acks == 1_999
    assert session.state is State.CONNECTED


def test_refused_delivery_counts_as_acknowledged() -> None:
    """[4.4.0-2], decision D11: it frees its place, and is counted."""
    session = connected()
    deliver(session, 1)
    session.receive_data(mqtt5.PubAckPacket(1, reason_code=PubAckReasonCode.UNSPECIFIED_ERROR).write())
    assert only(session.events()) == Acknowledged([1])
    assert session.refused_deliveries == 1
    assert session.window == DELIVERY_WINDOW


def test_clients_receive_maximum() -> None:
    """[3.3.4-9], [4.9.0-1], [4.9.0-2]: never more in flight; everything else goes on [3.3.4-10], [4.9.0-3], [3.12.4-1]."""
    session = connected(mqtt5.ConnectPacket("c1", receive_max=2))
    deliver(session, 1)
    deliver(session, 2)
    assert session.window == 0
    with pytest.raises(WrongState):
        deliver(session, 3)
    session.data_to_send()
    session.receive_data(b"\xc0\x00" + message(5).write())
    session.answer(5)
    assert [type(packet) for packet in sent(session)] == [mqtt5.PingRespPacket, mqtt5.PubAckPacket]


def test_id_in_flight_is_not_given_twice() -> None:
    """[4.3.2-1], class R2."""
    session = connected()
    deliver(session, 1)
    with pytest.raises(WrongState):
        deliver(session, 65_536, packet_id=1)


def test_ids_over_several_wraps_with_late_pubacks() -> None:
    """200,000 deliveries with PUBACKs in random order: each acknowledges what was sent under its id, class R2, D8."""
    session, chance = connected(), random.Random(7)
    in_flight: dict[int, int] = {}
    for sequence in range(1, 200_001):
        packet_id = 1 + sequence % 65_535
        deliver(session, sequence, packet_id=packet_id)
        in_flight[packet_id] = sequence
        if len(in_flight) == 200 or chance.random() < 0.4:
            acknowledged = chance.choice(list(in_flight)) if len(in_flight) < 200 else next(iter(in_flight))
            session.receive_data(b"\x40\x02" + acknowledged.to_bytes(2, "big"))
            assert session.events() == [Acknowledged([in_flight.pop(acknowledged)])]
        if sequence % 64 == 0:
            session.data_to_send()


def test_nothing_of_a_closed_connection_has_an_effect() -> None:
    """Class R5: a PUBACK or PUBLISH still in the socket after a takeover is not an event."""
    session = connected()
    deliver(session, 1)
    session.disconnect(Code.SESSION_TAKEN_OVER)
    session.receive_data(mqtt5.PubAckPacket(1).write() + message(1).write())
    assert session.events() == []
    assert only(sent(session)[-1:]).reason_code == Code.SESSION_TAKEN_OVER
    assert session.window == 0


# Sizes and reasons.


def test_reasons_are_left_out_when_not_wanted() -> None:
    """[3.1.2-29]: no reason string in PUBACK and SUBACK; DISCONNECT may have one."""
    session = connected(mqtt5.ConnectPacket("c1", request_problem_info=False))
    session.receive_data(message(1).write() + subscribe_to("a").write())
    session.answer(1, PubAckReasonCode.QUOTA_EXCEEDED, "full")
    session.grant(60_000, [SubAckReasonCode.NOT_AUTHORIZED], "not yours")
    session.disconnect(Code.ADMINISTRATIVE_ACTION, "why")
    puback, suback, disconnect = sent(session)
    assert (puback.reason_str, suback.reason_str, disconnect.reason_str) == (None, None, "why")


def test_reasons_are_there_when_wanted() -> None:
    """Otherwise people are told."""
    session = connected()
    session.receive_data(message(1).write() + subscribe_to("a").write())
    session.answer(1, PubAckReasonCode.QUOTA_EXCEEDED, "full")
    session.grant(60_000, [SubAckReasonCode.NOT_AUTHORIZED], "not yours")
    assert [packet.reason_str for packet in sent(session)] == ["full", "not yours"]


def test_reasons_do_not_exceed_the_clients_maximum() -> None:
    """[3.4.2-2], [3.9.2-1], [3.14.2-3], [3.2.2-19]: left out rather than too large."""
    session = connected(mqtt5.ConnectPacket("c1", max_packet_size=MAX_PACKET))
    long = "x" * 60_000
    session._max_packet = 50_000  # decision D7 refuses such a client; the rule of the standard holds all the same
    session.receive_data(message(1).write() + subscribe_to("a").write())
    session.answer(1, PubAckReasonCode.QUOTA_EXCEEDED, long)
    session.grant(60_000, [SubAckReasonCode.NOT_AUTHORIZED], long)
    session.disconnect(Code.ADMINISTRATIVE_ACTION, long)
    assert [packet.reason_str for packet in sent(session)] == [None, None, None]


def test_reply_that_is_too_large_is_not_sent() -> None:
    """[3.1.2-24], [3.1.2-25]: and whoever asked is told that it was not. At QoS 0 there is no packet id [2.2.1-2], and DUP
    is 0 [3.3.1-2]."""
    session = connected(mqtt5.ConnectPacket("c1", max_packet_size=MAX_PACKET))
    assert session.reply("reply/c1", b"x" * MAX_PACKET, b"c") is False
    assert session.reply("reply/c1", b"x", b"c") is True
    publish = only(sent(session))
    assert (publish.qos, publish.packet_id, publish.duplicate) == (
        QoS.AT_MOST_ONCE,
        None,
        False,
    )
    assert publish.correlation_data == b"c"


# DISCONNECT.


def test_disconnect_of_the_client_ends_it() -> None:
    """What follows is not read, and we say nothing more."""
    session = connected()
    session.receive_data(b"\xe0\x00" + message(1).write())
    assert session.state is State.CLOSED
    assert (session.events(), session.data_to_send()) == ([], b"")


def test_disconnect_changes_the_session_expiry() -> None:
    """2.3: its value replaces that of CONNECT."""
    session = connected(mqtt5.ConnectPacket("c1", session_expiry_interval=100), session_expiry=100)
    session.receive_data(mqtt5.DisconnectPacket(session_expiry_interval=5).write())
    assert session.session_expiry == 5
    assert session.data_to_send() == b""


def test_disconnect_does_not_raise_the_session_expiry_from_0() -> None:
    """2.3: a protocol error; and our DISCONNECT has no Session Expiry [3.14.2-2]."""
    session = connected()
    session.receive_data(mqtt5.DisconnectPacket(session_expiry_interval=5).write())
    disconnect = only(sent(session))
    assert disconnect.reason_code == Code.PROTOCOL_ERROR
    assert disconnect.session_expiry_interval is None


def test_session_waits_for_nothing() -> None:
    """The session is sans-I/O: no coroutine, no clock, no socket in it, and AUTH is never sent [4.12.0-6]."""
    from blindrelay.relay.mqtt import session

    source = inspect.getsource(session)
    for word in ("async ", "await ", "import time", "import socket", "import asyncio", "AuthPacket"):
        assert word not in source
