"""The strict gate: everything that MQTT 5 or the profile forbids and the codec would let through.

Bug classes M1, M2, M3, M4, M5, M6, M7, S12; decision D3; section 4 of the profile.
"""

import time
from itertools import product

import mqtt5
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mqtt5 import DisconnectReasonCode as Code

from blindrelay.protocol.sizes import MAX_PACKET
from blindrelay.relay.mqtt import gate
from blindrelay.relay.mqtt.gate import PacketRefused


def variable(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def string(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return len(raw).to_bytes(2, "big") + raw


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + variable(len(body)) + body


def publish(
    topic: str | bytes = "to/2", packet_id: int = 1, properties: bytes = b"", payload: bytes = b"x", first: int = 0x32
) -> bytes:
    body = string(topic) + packet_id.to_bytes(2, "big") + variable(len(properties)) + properties + payload
    return packet(first, body)


def connect(
    flags: int = 0x02,
    properties: bytes = b"",
    payload: bytes = string("c1"),
    name: bytes = b"MQTT",
    version: int = 5,
) -> bytes:
    head = string(name) + bytes([version, flags, 0, 60])
    return packet(0x10, head + variable(len(properties)) + properties + payload)


def subscribe(
    *filters: tuple[str | bytes, int], packet_id: int = 1, properties: bytes = b"", first: int = 0x82
) -> bytes:
    body = packet_id.to_bytes(2, "big") + variable(len(properties)) + properties
    return packet(first, body + b"".join(string(pattern) + bytes([options]) for pattern, options in filters))


def unsubscribe(*filters: str | bytes, packet_id: int = 1, first: int = 0xA2) -> bytes:
    body = packet_id.to_bytes(2, "big") + b"\0" + b"".join(string(pattern) for pattern in filters)
    return packet(first, body)


def through(data: bytes) -> mqtt5.Packet:
    framed = gate.frame(data, 0)
    assert framed is not None
    body, end = framed
    assert end == len(data)
    return gate.parse(data, 0, body, end)


MALFORMED, VIOLATION = Code.MALFORMED_PACKET, Code.PROTOCOL_ERROR
WILL = b"\0" + string("will") + string(b"last words")

HOSTILE = {
    # Fixed header: [2.1.3-1], [1.5.5-1], [3.1.0-1].
    "reserved type 0 [2.1.3-1]": (b"\x00\x00", MALFORMED),
    "CONNECT with flags [2.1.3-1]": (b"\x11" + connect()[1:], MALFORMED),
    "PUBACK with flags": (b"\x42\x02\x00\x01", MALFORMED),
    "SUBSCRIBE without its flags [3.8.1-1]": (subscribe(("a", 1), first=0x80), MALFORMED),
    "UNSUBSCRIBE without its flags [3.10.1-1]": (unsubscribe("a", first=0xA0), MALFORMED),
    "PINGREQ with flags": (b"\xc1\x00", MALFORMED),
    "DISCONNECT with flags [3.14.1-1]": (b"\xe1\x00", MALFORMED),
    "AUTH with flags [3.15.1-1]": (b"\xf1\x00", MALFORMED),
    "PINGREQ with a body": (b"\xc0\x01\x00", MALFORMED),
    "five bytes of length [1.5.5-1], M5": (b"\x32\xff\xff\xff\xff\x01", MALFORMED),
    "length longer than it need be [1.5.5-1]": (b"\xc0\x80\x00", MALFORMED),
    "length of PUBACK longer than it need be [1.5.5-1]": (b"\x40\x82\x00\x00\x01", MALFORMED),
    "256 MiB claimed, M1": (b"\x32\xff\xff\xff\x7f", Code.PACKET_TOO_LARGE),
    "one byte over the maximum": (b"\x32" + variable(MAX_PACKET - 3), Code.PACKET_TOO_LARGE),
    "CONNECT over its limit": (b"\x10" + variable(gate.CONNECT_LIMIT), Code.PACKET_TOO_LARGE),
    "SUBSCRIBE over its limit, M6": (subscribe(("/" * 65_535, 1)), Code.QUOTA_EXCEEDED),
    # Types that are not a client's, or not of the profile.
    "CONNACK from a client": (b"\x20\x03\x00\x00\x00", VIOLATION),
    "SUBACK from a client": (b"\x90\x04\x00\x01\x00\x00", VIOLATION),
    "UNSUBACK from a client": (b"\xb0\x04\x00\x01\x00\x00", VIOLATION),
    "PINGRESP from a client": (b"\xd0\x00", VIOLATION),
    "PUBREC": (b"\x50\x02\x00\x01", VIOLATION),
    "PUBREL": (b"\x62\x02\x00\x01", VIOLATION),
    "PUBCOMP": (b"\x70\x02\x00\x01", VIOLATION),
    # PUBLISH, by its first byte.
    "QoS 0, decision D3": (publish(first=0x30), Code.NOT_AUTHORIZED),
    "QoS 2 [3.2.2-11]": (publish(first=0x34), Code.QOS_NOT_SUPPORTED),
    "QoS 3 [3.3.1-4]": (publish(first=0x36), MALFORMED),
    "retain [3.2.2-14]": (publish(first=0x33), Code.RETAIN_NOT_SUPPORTED),
    "DUP with QoS 0 [3.3.1-2]": (publish(first=0x38), MALFORMED),
    # PUBLISH, within.
    "PUBLISH without topic length": (packet(0x32, b""), MALFORMED),
    "topic beyond the end": (packet(0x32, b"\x00\xff" + b"abcdef"), MALFORMED),
    "no packet id": (packet(0x32, string("abc") + b"\0"), MALFORMED),
    "no property length [2.2.2-1]": (packet(0x32, string("abc") + b"\0\1"), MALFORMED),
    "packet id 0 [2.2.1-3]": (publish(packet_id=0), VIOLATION),
    "empty topic [4.7.3-1]": (publish(topic=""), VIOLATION),
    "wildcard + in a topic [3.3.2-2] [4.7.0-1]": (publish(topic="to/+"), VIOLATION),
    "wildcard # in a topic [3.3.2-2]": (publish(topic="to/#"), VIOLATION),
    "U+0000 in a topic [1.5.4-2] [4.7.3-2]": (publish(topic="to/\0"), MALFORMED),
    "control character in a topic": (publish(topic="to/\x07"), MALFORMED),
    "topic is not UTF-8 [1.5.4-1] [3.3.2-1]": (publish(topic=b"to/\xff"), MALFORMED),
    "surrogate in a topic [1.5.4-1]": (publish(topic=b"to/\xed\xa0\x80"), MALFORMED),
    "topic alias [3.3.2-8]": (publish(properties=b"\x23\x00\x01"), Code.TOPIC_ALIAS_INVALID),
    "topic alias 0 [3.3.2-8]": (publish(properties=b"\x23\x00\x00"), Code.TOPIC_ALIAS_INVALID),
    "subscription identifier [3.3.4-6]": (publish(properties=b"\x0b\x01"), VIOLATION),
    "format indicator 2": (publish(properties=b"\x01\x02"), VIOLATION),
    "response topic with wildcard [3.3.2-14]": (publish(properties=b"\x08" + string("a/+")), VIOLATION),
    "response topic is not UTF-8 [3.3.2-13]": (publish(properties=b"\x08" + string(b"\xff")), MALFORMED),
    "user property is not UTF-8 [1.5.7-1]": (publish(properties=b"\x26" + string("a") + string(b"\xff")), MALFORMED),
    "expiry twice": (publish(properties=b"\x02\0\0\0\1\x02\0\0\0\1"), VIOLATION),
    "property of another packet": (publish(properties=b"\x21\x00\x01"), VIOLATION),
    "unknown property": (publish(properties=b"\x7f\x00"), VIOLATION),
    "property section beyond the end": (packet(0x32, string("abc") + b"\0\1\x20\x02\0\0"), MALFORMED),
    "expiry made of payload bytes": (packet(0x32, string("abc") + b"\0\1\x01\x02" + b"\0\0\0\1payload"), MALFORMED),
    "message id over the property section": (
        packet(0x32, string("abc") + b"\0\1\x18\x02\0\0\0\1\x09\x00\x11" + b"i" * 17 + b"payload"),
        MALFORMED,
    ),
    "5,000 bytes of properties": (publish(properties=b"\x03" + string("x" * 5_000)), Code.QUOTA_EXCEEDED),
    # PUBACK.
    "PUBACK for id 0": (b"\x40\x02\x00\x00", VIOLATION),
    "PUBACK without id": (b"\x40\x00", MALFORMED),
    "PUBACK with a code it does not have [3.4.2-1]": (b"\x40\x03\x00\x01\x11", VIOLATION),
    "PUBACK longer than its properties": (b"\x40\x05\x00\x01\x00\x00\x00", MALFORMED),
    # CONNECT.
    "protocol name": (connect(name=b"MQIsdp"), VIOLATION),
    "version 4": (connect(version=4), VIOLATION),
    "reserved connect flag [3.1.2-3]": (connect(flags=0x03), MALFORMED),
    "will QoS without will [3.1.2-11]": (connect(flags=0x0A), MALFORMED),
    "will retain without will [3.1.2-13]": (connect(flags=0x22), MALFORMED),
    "will QoS 3": (connect(flags=0x1E, payload=string("c1") + WILL), MALFORMED),
    "will, decision D12": (connect(flags=0x06, payload=string("c1") + WILL), Code.TOPIC_NAME_INVALID),
    "will QoS 2 [3.2.2-12]": (connect(flags=0x16, payload=string("c1") + WILL), Code.QOS_NOT_SUPPORTED),
    "will retain [3.2.2-13]": (connect(flags=0x26, payload=string("c1") + WILL), Code.RETAIN_NOT_SUPPORTED),
    "will missing [3.1.2-9]": (connect(flags=0x06), MALFORMED),
    "will topic is not UTF-8 [3.1.3-11]": (
        connect(flags=0x06, payload=string("c1") + b"\0" + string(b"\xff") + string(b"")),
        MALFORMED,
    ),
    "client id missing [3.1.3-3]": (connect(payload=b""), MALFORMED),
    "client id is not UTF-8 [3.1.3-4]": (connect(payload=string(b"\xff")), MALFORMED),
    "client id with U+0000": (connect(payload=string("a\0b")), MALFORMED),
    "user name missing [3.1.2-17]": (connect(flags=0x82), MALFORMED),
    "user name there without its flag [3.1.2-16]": (connect(payload=string("c1") + string("u")), MALFORMED),
    "user name is not UTF-8 [3.1.3-12]": (connect(flags=0x82, payload=string("c1") + string(b"\xff")), MALFORMED),
    "password missing [3.1.2-19]": (connect(flags=0x42), MALFORMED),
    "password there without its flag [3.1.2-18]": (
        connect(flags=0x82, payload=string("c") + string("u") * 2),
        MALFORMED,
    ),
    "Receive Maximum 0": (connect(properties=b"\x21\x00\x00"), VIOLATION),
    "Maximum Packet Size 0 [3.1.2-24]": (connect(properties=b"\x27\x00\x00\x00\x00"), VIOLATION),
    "Request Problem Information 2": (connect(properties=b"\x17\x02"), VIOLATION),
    "Request Response Information 2": (connect(properties=b"\x19\x02"), VIOLATION),
    "authentication data without method": (connect(properties=b"\x16" + string(b"x")), VIOLATION),
    "9,000 user properties, M4": (connect(properties=(b"\x26" + string("") * 2) * 9_000), Code.PACKET_TOO_LARGE),
    # SUBSCRIBE, UNSUBSCRIBE.
    "no filter [3.8.3-2]": (subscribe(), VIOLATION),
    "empty filter": (subscribe(("", 1)), VIOLATION),
    "filter is not UTF-8 [3.8.3-1]": (subscribe((b"\xff", 1)), MALFORMED),
    "filter with U+0000": (subscribe(("a\0", 1)), MALFORMED),
    "reserved option bits [3.8.3-5]": (subscribe(("a", 0x41)), MALFORMED),
    "option QoS 3": (subscribe(("a", 0x03)), VIOLATION),
    "retain handling 3": (subscribe(("a", 0x31)), VIOLATION),
    "No Local on $share [3.8.3-4]": (subscribe(("$share/g/a", 0x05)), VIOLATION),
    "SUBSCRIBE id 0": (subscribe(("a", 1), packet_id=0), VIOLATION),
    "subscription identifier": (subscribe(("a", 1), properties=b"\x0b\x01"), Code.SUBSCRIPTION_IDS_NOT_SUPPORTED),
    "second filter cut": (packet(0x82, b"\0\1\0" + string("a") + b"\1\0\5ab"), MALFORMED),
    "no filter to unsubscribe [3.10.3-2]": (unsubscribe(), VIOLATION),
    "empty filter to unsubscribe": (unsubscribe(""), VIOLATION),
    "filter to unsubscribe is not UTF-8 [3.10.3-1]": (unsubscribe(b"\xff"), MALFORMED),
    "UNSUBSCRIBE id 0": (unsubscribe("a", packet_id=0), VIOLATION),
    # DISCONNECT, AUTH.
    "code of the server's list [3.14.2-1]": (b"\xe0\x01\x8b", VIOLATION),
    "code that nobody has": (b"\xe0\x01\x42", VIOLATION),
    "server reference": (packet(0xE0, b"\x00" + variable(4) + b"\x1c" + string("x")), VIOLATION),
    "AUTH without a method in CONNECT [4.12.0-7]": (b"\xf0\x00", VIOLATION),
    "AUTH longer than its properties": (b"\xf0\x03\x00\x00\x00", MALFORMED),
    "AUTH with a code it does not have": (b"\xf0\x02\x05\x00", VIOLATION),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_packet_is_refused(name: str) -> None:
    """Each is refused with its code, before the codec builds anything from it."""
    data, code = HOSTILE[name]
    with pytest.raises(PacketRefused) as refused:
        through(data)
    assert refused.value.code == code


GOOD = {
    "CONNECT": connect(),
    "CONNECT with all properties": connect(
        properties=b"\x11\0\0\0\5\x21\0\7\x27\0\5\0\0\x22\0\0\x19\1\x17\0\x26" + string("a") + string("b")
    ),
    "CONNECT with user name and password": connect(flags=0xC2, payload=string("") + string("u") + string(b"\xff\0")),
    "PUBLISH": publish(),
    "PUBLISH again": publish(first=0x3A),
    "PUBLISH as our clients write it": publish(properties=b"\x02\0\0\0\5\x09\0\x10" + b"i" * 16),
    "PUBLISH without payload": publish(payload=b""),
    "PUBLISH with all properties": publish(
        properties=b"\x01\1\x02\0\0\0\5\x03" + string("t") + b"\x08" + string("r") + b"\x09\0\1c\x26" + string("a") * 2
    ),
    "two user properties of one name": publish(properties=(b"\x26" + string("a") + string("b")) * 2),
    "PUBACK": b"\x40\x02\x00\x01",
    "PUBACK with code": b"\x40\x03\x00\x01\x97",
    "PUBACK with reason": packet(0x40, b"\0\1\x97" + variable(4) + b"\x1f" + string("x")),
    "SUBSCRIBE": subscribe(("a/b", 1), ("c", 0x2E)),
    "UNSUBSCRIBE": unsubscribe("a", "b"),
    "PINGREQ": b"\xc0\x00",
    "DISCONNECT": b"\xe0\x00",
    "DISCONNECT with expiry": packet(0xE0, b"\0\5\x11\0\0\0\5"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_packet_passes(name: str) -> None:
    """The gate is strict and not stricter: what a client may send reaches the session."""
    assert through(GOOD[name]) is not None


@pytest.mark.parametrize(
    "topic", ["\ufeffto/2", "TO/2", "to//2", "to/2/", "/" * 65_535, "e\u0301", "\u00e9", "a b"], ids=ascii
)
def test_topic_is_neither_changed_nor_refused_for_its_looks(topic: str) -> None:
    """A BOM is kept [1.5.4-3], nothing is normalised [4.7.3-4], 65,535 bytes are a topic [4.7.3-3], M6."""
    read = through(publish(topic=topic))
    assert isinstance(read, mqtt5.PublishPacket)
    assert read.topic == topic


def test_fields_of_connect_are_read_in_their_order() -> None:
    """[3.1.3-1], [3.1.2-16] to [3.1.2-19]: client id, user name, password."""
    read = through(connect(flags=0xC2, payload=string("id") + string("user") + string(b"\xffpass")))
    assert isinstance(read, mqtt5.ConnectPacket)
    assert (read.client_id, read.username, read.password) == ("id", "user", b"\xffpass")


def test_first_byte_decides() -> None:
    """Of 256 first bytes, nine may begin a packet of a client [3.1.0-1], M2."""
    good = set()
    for first in range(256):
        try:
            gate.check_first_byte(first)
        except PacketRefused:
            continue
        good.add(first)
    assert good == {0x10, 0x32, 0x3A, 0x40, 0x82, 0xA2, 0xC0, 0xE0, 0xF0}


def test_incomplete_header_is_waited_for() -> None:
    """One to four bytes of an unfinished header decide nothing but what they say already."""
    for header in (b"\x32", b"\x32\xff", b"\x32\xff\xff", b"\x32\xff\xff\xff"):
        assert gate.frame(header, 0) is None


def test_codec_never_panics_behind_the_gate(capfd: pytest.CaptureFixture[str]) -> None:
    """Invalid UTF-8 in any string is refused before the codec sees it, so that nothing is printed, M7 (section 4)."""
    for data, _ in HOSTILE.values():
        with pytest.raises(PacketRefused):
            through(data)
    assert capfd.readouterr().err == ""


def test_panic_of_the_codec_is_a_malformed_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the codec panic all the same, the BaseException ends one connection and nothing else."""
    panic = type("PanicException", (BaseException,), {})

    def read(_: object) -> None:
        raise panic

    monkeypatch.setattr(gate.mqtt5, "read", read)
    with pytest.raises(PacketRefused) as refused:
        through(GOOD["PUBLISH"])
    assert refused.value.code == MALFORMED


def test_codec_that_sees_another_payload_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gate and codec agree on where the properties end, or the packet is malformed (section 4)."""
    other = publish(payload=b"longer than x")
    read = gate.mqtt5.read
    monkeypatch.setattr(gate.mqtt5, "read", lambda view: (read(memoryview(other))[0], len(view)))
    with pytest.raises(PacketRefused) as refused:
        through(GOOD["PUBLISH"])
    assert refused.value.code == MALFORMED


def test_other_base_exceptions_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C within the codec is still Ctrl-C."""

    def read(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gate.mqtt5, "read", read)
    with pytest.raises(KeyboardInterrupt):
        through(GOOD["PUBLISH"])


def test_large_connect_is_refused_from_its_header() -> None:
    """9,000 user properties cost five bytes of looking, M4."""
    data, _ = HOSTILE["9,000 user properties, M4"]
    started = time.perf_counter()
    with pytest.raises(PacketRefused):
        gate.frame(data[:5], 0)
    assert time.perf_counter() - started < 0.005


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_or_read(data: bytes) -> None:
    """Whatever comes, it is a packet, a refusal or a wait for more, M7."""
    try:
        framed = gate.frame(data, 0) if data else None
        if framed is not None and framed[1] <= len(data):
            gate.parse(data, 0, *framed)
    except PacketRefused:
        pass


@settings(max_examples=400)
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_mutants_are_refused_or_read(name: str, data: st.DataObject) -> None:
    """A good packet with bytes changed, cut out or put in is refused with a code of the table or is another good packet, M7;
    nothing that breaks a recipient can be forwarded, S12."""
    raw = bytearray(GOOD[name])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        if not raw:
            return
    mutant = bytes(raw)
    try:
        framed = gate.frame(mutant, 0)
        if framed is None or framed[1] > len(mutant):
            return
        read: mqtt5.Packet | Code = gate.parse(mutant, 0, *framed)
    except PacketRefused as refusal:
        read = refusal.code
    if isinstance(read, Code):
        assert int(read) in {0x81, 0x82, 0x87, 0x90, 0x94, 0x95, 0x97, 0x9A, 0x9B, 0xA1}
    if isinstance(read, mqtt5.PublishPacket):
        assert read.topic
        assert not set(read.topic) & set("+#\0")
        assert read.packet_id
        again, _ = mqtt5.read(memoryview(read.write()))
        assert isinstance(again, mqtt5.PublishPacket)
        assert (again.topic, again.payload, again.correlation_data) == (read.topic, read.payload, read.correlation_data)


def test_gate_is_never_more_lenient_than_the_codec() -> None:
    """Two bytes of every good packet, changed to each of nine values: what the codec refuses, the gate refuses too."""
    for name, value in product(GOOD, (0, 1, 2, 0x26, 0x7F, 0x80, 0xC0, 0xED, 0xFF)):
        for at in range(len(GOOD[name])):
            mutant = bytearray(GOOD[name])
            mutant[at] = value
            try:
                framed = gate.frame(bytes(mutant), 0)
                if framed is None or framed[1] != len(mutant):
                    continue
                gate.parse(bytes(mutant), 0, *framed)
            except PacketRefused:
                continue
            mqtt5.read(memoryview(bytes(mutant)))
