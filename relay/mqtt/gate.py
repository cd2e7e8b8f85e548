"""The strict gate between the bytes of a client and the codec.

The codec (`mqtt5`) takes packets apart, but lets through much that MQTT 5 forbids, panics on invalid UTF-8 and has no limit
of size. So every packet is checked here first, in three steps, each before the next one costs anything:

1. `check_first_byte`: may a client send this type, with these flags? One byte decides.
2. `frame`: how long is it, and is that allowed? Decided from the fixed header, before the body is collected.
3. `parse`: the form of the whole packet (lengths, strings, properties, reserved bits, identifiers); then the codec.

PUBLISH and PUBACK, which are the traffic, have checks of their own that look at exactly the bytes that can be wrong. All
others are rare and small; they are walked in full (`blindrelay.relay.mqtt.walk`).

Numbers in brackets are statements of OASIS MQTT 5.0.
"""

from typing import Final

import mqtt5
from mqtt5 import DisconnectReasonCode as Code

from blindrelay.protocol.sizes import MAX_PACKET
from blindrelay.relay.mqtt.walk import PacketRefused, Walk, is_clean_text, walk_packet

__all__ = ["CONNECT_LIMIT", "CONTROL_LIMIT", "PacketRefused", "check_first_byte", "frame", "parse"]

CONNECT: Final = 0x10
PUBLISH: Final = 0x30
PUBACK: Final = 0x40
SUBSCRIBE: Final = 0x82
UNSUBSCRIBE: Final = 0xA2
PINGREQ: Final = 0xC0
DISCONNECT: Final = 0xE0
AUTH: Final = 0xF0

# A CONNECT holds a client id, a user name of 200 bytes, a token of 32 and a version; before it nobody is known, so it is
# what a stranger may make us hold. 9,000 user properties do not fit.
CONNECT_LIMIT: Final = 8_192
# A SUBSCRIBE of ours has two filters of 256 bytes. It bounds the time of the full walk as well: about 5 ms.
CONTROL_LIMIT: Final = 16_384
# The properties of a PUBLISH of ours are 24 bytes (expiry, message id), 300 with a response topic.
PUBLISH_PROPERTIES_LIMIT: Final = 4_096

# The first byte of every packet that a client may send within the profile [2.1.3-1].
_ALLOWED: Final = frozenset({CONNECT, PUBACK, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT, AUTH, 0x32, 0x3A})
_SERVERS_ALONE: Final = frozenset({0x20, 0x90, 0xB0, 0xD0})
_QOS_2: Final = frozenset({0x50, 0x62, 0x70})

_LIMITS: Final = {CONNECT: CONNECT_LIMIT, 0x32: MAX_PACKET, 0x3A: MAX_PACKET, PINGREQ: 2}


def check_first_byte(first: int) -> None:
    """Raise `PacketRefused` unless a client may begin a packet with this byte."""
    if first in _ALLOWED:
        return
    if first & 0xF0 == PUBLISH:
        raise _refused_publish(first)
    if first in _SERVERS_ALONE:
        raise PacketRefused(Code.PROTOCOL_ERROR, "only a server sends packets of this type")
    if first in _QOS_2:
        raise PacketRefused(Code.PROTOCOL_ERROR, "packets of QoS 2 are outside the profile: Maximum QoS is 1")
    raise PacketRefused(Code.MALFORMED_PACKET, f"0x{first:02X} does not begin a packet: reserved type or flags")


def _refused_publish(first: int) -> PacketRefused:
    qos = first >> 1 & 3
    if qos == 3:
        return PacketRefused(Code.MALFORMED_PACKET, "QoS 3 does not exist")  # [3.3.1-4]
    if qos == 2:
        return PacketRefused(Code.QOS_NOT_SUPPORTED, "QoS 2 is outside the profile: Maximum QoS is 1")  # [3.2.2-11]
    if qos == 0 and first & 0x08:
        return PacketRefused(Code.MALFORMED_PACKET, "DUP with QoS 0")  # [3.3.1-2]
    if first & 0x01:
        return PacketRefused(Code.RETAIN_NOT_SUPPORTED, "retained messages are outside the profile")  # [3.2.2-14]
    # Decision D3: nobody may believe that a message of QoS 0 was kept.
    return PacketRefused(Code.NOT_AUTHORIZED, "QoS 0 is outside the profile: publish with QoS 1")


def frame(data: bytes | bytearray, start: int) -> tuple[int, int] | None:
    """Find the packet that begins at `start`: (where its body begins, where it ends); None when the header is incomplete.

    The end may lie beyond the end of `data`: its length is allowed then, and the rest may be collected.

    Raises:
        PacketRefused: reserved first byte, malformed length, or longer than packets of this type may be.
    """
    first = data[start]
    if first not in _ALLOWED:
        check_first_byte(first)
    length = shift = 0
    position = start + 1
    for byte in data[position : start + 5]:
        position += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            if shift and not byte:
                raise PacketRefused(
                    Code.MALFORMED_PACKET, "the remaining length is longer than it need be"
                )  # [1.5.5-1]
            end = position + length
            if end - start > _LIMITS.get(first, CONTROL_LIMIT):
                raise _too_large(first, end - start)
            return position, end
        shift += 7
    if shift == 28:
        raise PacketRefused(Code.MALFORMED_PACKET, "the remaining length has more than four bytes")  # [1.5.5-1]
    return None


def _too_large(first: int, size: int) -> PacketRefused:
    if first == PINGREQ:
        return PacketRefused(Code.MALFORMED_PACKET, "PINGREQ has no body")
    if size > MAX_PACKET or first == CONNECT:
        return PacketRefused(Code.PACKET_TOO_LARGE, f"the packet has {size} bytes, which is over the maximum")
    return PacketRefused(
        Code.QUOTA_EXCEEDED, f"the packet has {size} bytes; of this type, {CONTROL_LIMIT} are the most"
    )


def parse(data: bytes, start: int, body: int, end: int) -> mqtt5.Packet:
    """Check the form of the packet `data[start:end]`, whose body begins at `body`, and let the codec take it apart.

    Raises:
        PacketRefused: with the code for DISCONNECT or CONNACK.
    """
    first = data[start]
    if first == 0x32 or first == 0x3A:  # noqa: PLR1714 - twice as fast as a set, and once a message
        payload_size = _check_publish(data, body, end)
        packet = _decode(data, start, end)
        if len(packet.payload) != payload_size:  # type: ignore[union-attr]
            raise PacketRefused(Code.MALFORMED_PACKET, "a property reaches beyond the end of the properties")
        return packet
    if first == PUBACK and end - body == 2:
        if not (data[body] or data[body + 1]):
            raise PacketRefused(Code.PROTOCOL_ERROR, "packet id 0")  # [2.2.1-3]
        return _decode(data, start, end)
    walk_packet(first, Walk(data, body, end))
    return _decode(data, start, end)


def _check_publish(data: bytes, body: int, end: int) -> int:
    """Check a PUBLISH of QoS 1 up to its payload; return how long the payload is."""
    # A short packet runs over its end here and is caught below: slices and comparisons do not raise, indexes might.
    if end - body < 5:
        raise PacketRefused(Code.MALFORMED_PACKET, "PUBLISH is too short for topic, packet id and properties")
    position = body + 2 + (data[body] << 8 | data[body + 1])
    if position + 3 > end:
        raise PacketRefused(Code.MALFORMED_PACKET, "the topic reaches beyond the end of PUBLISH")
    try:
        topic = str(data[body + 2 : position], "utf-8")
    except UnicodeDecodeError:
        raise PacketRefused(Code.MALFORMED_PACKET, "the topic is not UTF-8") from None  # [3.3.2-1]
    if not (data[position] or data[position + 1]):
        raise PacketRefused(Code.PROTOCOL_ERROR, "packet id 0")  # [2.2.1-3]
    payload = position + 27
    # Expiry and message id, in the order in which our clients write them: nothing else can be wrong in there.
    if (
        payload > end
        or data[position + 2 : position + 4] != b"\x18\x02"
        or data[position + 8 : position + 11] != b"\x09\x00\x10"
    ):
        payload = _walk_publish_properties(data, position + 2, end)
    if not topic:
        raise PacketRefused(Code.PROTOCOL_ERROR, "PUBLISH without topic")  # [4.7.3-1]
    if "+" in topic or "#" in topic:
        raise PacketRefused(Code.PROTOCOL_ERROR, "a topic name has no wildcards")  # [3.3.2-2]
    if not is_clean_text(topic):
        raise PacketRefused(Code.MALFORMED_PACKET, "the topic holds control characters")  # [1.5.4-2]
    return end - payload


def _walk_publish_properties(data: bytes, position: int, end: int) -> int:
    walk = Walk(data, position, end)
    size = walk.variable_integer()
    if size > PUBLISH_PROPERTIES_LIMIT:
        raise PacketRefused(
            Code.QUOTA_EXCEEDED, f"the properties have {size} bytes: {PUBLISH_PROPERTIES_LIMIT} are the most"
        )
    walk.position = position
    walk.properties(PUBLISH)
    return walk.position


def _decode(data: bytes, start: int, end: int) -> mqtt5.Packet:
    try:
        packet, size = mqtt5.read(memoryview(data)[start:end])
    except (ValueError, IndexError) as error:
        # The whole packet is here, so that "incomplete" means that a length inside lies.
        raise PacketRefused(Code.MALFORMED_PACKET, f"malformed packet: {error}") from None
    except BaseException as error:
        # The one place where a panic of the codec is caught. It is a BaseException of a module that cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise PacketRefused(Code.MALFORMED_PACKET, "the codec could not read the packet") from None
    if size != end - start:
        raise PacketRefused(Code.MALFORMED_PACKET, "the packet is longer than what it contains")
    return packet
