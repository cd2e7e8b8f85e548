"""A full check of a packet's form, field by field: the slow half of the gate.

It covers what a client may send, apart from the body of PUBLISH, of which it knows the properties. It builds nothing: the
codec does, afterwards. What it refuses, it refuses with the code that DISCONNECT (or CONNACK) then carries: 0x81 for what
cannot be read, 0x82 for what can be read and may not be.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from mqtt5 import DisconnectReasonCode as Code

# [1.5.4-2] forbids U+0000; the standard lets a receiver refuse the control characters and non-characters of 1.5.4.1 as well,
# and nothing of ours ever holds one. U+FEFF is none of them: it is kept [1.5.4-3].
_UNCLEAN = re.compile("[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")

_CLIENTS_DISCONNECT_CODES: Final = frozenset(
    {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99}
)
_PUBACK_CODES: Final = frozenset({0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})


class PacketRefused(Exception):
    """The peer left MQTT 5 or the profile, and the connection ends with this code."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class VersionRefused(PacketRefused):
    """CONNECT of another protocol, or of another version of it: CONNACK 0x84."""

    def __init__(self) -> None:
        super().__init__(Code.PROTOCOL_ERROR, "this server speaks MQTT 5 alone")


class WillRefused(PacketRefused):
    """CONNECT with a will: well-formed, and outside the profile. `code` is CONNACK's, by number."""


def malformed(reason: str) -> PacketRefused:
    """The bytes cannot be read."""
    return PacketRefused(Code.MALFORMED_PACKET, reason)


def violation(reason: str) -> PacketRefused:
    """The bytes can be read, and say what they may not."""
    return PacketRefused(Code.PROTOCOL_ERROR, reason)


def is_clean_text(text: str) -> bool:
    """Whether a decoded string holds nothing that MQTT forbids or lets us refuse."""
    return text.isprintable() or not _UNCLEAN.search(text)


class Walk:
    """A position in one packet that cannot leave it."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int, end: int) -> None:
        self.data = data
        self.position = position
        self.end = end

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        start = self.position
        if start + size > self.end:
            raise malformed("a field reaches beyond the end of what holds it")
        self.position = start + size
        return self.data[start : start + size]

    def integer(self, size: int) -> int:
        """An unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def variable_integer(self) -> int:
        """A variable byte integer, as short as possible [1.5.5-1]."""
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.integer(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if shift and not byte:
                    raise malformed("a variable byte integer is longer than it need be")
                return value
        raise malformed("a variable byte integer has more than four bytes")

    def text(self) -> str:
        """A UTF-8 string [1.5.4-1], [1.5.4-2]."""
        try:
            text = str(self.take(self.integer(2)), "utf-8")
        except UnicodeDecodeError:
            raise malformed("a string is not UTF-8") from None
        if not is_clean_text(text):
            raise malformed("a string holds control characters")
        return text

    def binary(self) -> bytes:
        """Binary data: two bytes of length, then as many."""
        return self.take(self.integer(2))

    def properties(self, packet: int) -> frozenset[int]:
        """A property section: which of them are there. Those that `packet` does not know are refused."""
        size = self.variable_integer()
        outer, self.end = self.end, self.position + size
        if self.end > outer:
            raise malformed("the properties reach beyond the end of the packet")
        allowed, seen = _PROPERTIES[packet], set[int]()
        while self.position < self.end:
            identifier = self.integer(1)
            read = allowed.get(identifier)
            if read is None:
                raise violation(f"property 0x{identifier:02X} does not belong here")
            if identifier in seen and identifier != _USER_PROPERTY:
                raise violation(f"property 0x{identifier:02X} is there twice")
            seen.add(identifier)
            read(self)
        self.end = outer
        return frozenset(seen)


def _flag(walk: Walk) -> None:
    if walk.integer(1) > 1:
        raise violation("a property that is 0 or 1 has another value")


def _two(walk: Walk) -> None:
    walk.take(2)


def _two_not_zero(walk: Walk) -> None:
    if not walk.integer(2):
        raise violation("Receive Maximum is 0")


def _four(walk: Walk) -> None:
    walk.take(4)


def _four_not_zero(walk: Walk) -> None:
    if not walk.integer(4):
        raise violation("Maximum Packet Size is 0")


def _text(walk: Walk) -> None:
    walk.text()


def _topic(walk: Walk) -> None:
    text = walk.text()
    if not text or "+" in text or "#" in text:
        raise violation("a response topic is empty or has wildcards")  # [3.3.2-14]


def _pair(walk: Walk) -> None:
    walk.text()
    walk.text()


def _binary(walk: Walk) -> None:
    walk.binary()


def _alias(_: Walk) -> None:
    raise PacketRefused(Code.TOPIC_ALIAS_INVALID, "topic aliases are outside the profile: Topic Alias Maximum is 0")


def _subscription_id_published(_: Walk) -> None:
    raise violation("a client publishes no subscription identifier")  # [3.3.4-6]


def _subscription_id(_: Walk) -> None:
    raise PacketRefused(Code.SUBSCRIPTION_IDS_NOT_SUPPORTED, "subscription identifiers are outside the profile")


_USER_PROPERTY: Final = 0x26
_WILL: Final = 0x01  # a property section, not a packet
_PROPERTIES: Final[Mapping[int, Mapping[int, Callable[[Walk], None]]]] = {
    0x10: {
        0x11: _four,
        0x21: _two_not_zero,
        0x27: _four_not_zero,
        0x22: _two,
        0x19: _flag,
        0x17: _flag,
        0x26: _pair,
        0x15: _text,
        0x16: _binary,
    },
    _WILL: {0x18: _four, 0x01: _flag, 0x02: _four, 0x03: _text, 0x08: _topic, 0x09: _binary, 0x26: _pair},
    0x30: {
        0x01: _flag,
        0x02: _four,
        0x03: _text,
        0x08: _topic,
        0x09: _binary,
        0x0B: _subscription_id_published,
        0x23: _alias,
        0x26: _pair,
    },
    0x40: {0x1F: _text, 0x26: _pair},
    0x82: {0x0B: _subscription_id, 0x26: _pair},
    0xA2: {0x26: _pair},
    0xE0: {0x11: _four, 0x1F: _text, 0x26: _pair},
    0xF0: {0x15: _text, 0x16: _binary, 0x1F: _text, 0x26: _pair},
}


def _walk_connect(walk: Walk) -> None:
    if walk.binary() != b"MQTT" or walk.integer(1) != 5:
        raise VersionRefused  # [3.1.2-1], [3.1.2-2]; what follows in another version is not ours to judge
    flags = walk.integer(1)
    if flags & 0x01:
        raise malformed("the reserved connect flag is set")  # [3.1.2-3]
    if not flags & 0x04 and flags & 0x38:
        raise malformed("will QoS or will retain without a will")  # [3.1.2-11], [3.1.2-13]
    if flags & 0x18 == 0x18:
        raise malformed("will QoS 3 does not exist")  # [3.1.2-12]
    walk.take(2)
    if 0x16 in (seen := walk.properties(0x10)) and 0x15 not in seen:
        raise violation("authentication data without a method")
    walk.text()
    if flags & 0x04:
        _walk_will(walk)
    if flags & 0x80:
        walk.text()  # [3.1.3-12]
    if flags & 0x40:
        walk.binary()
    if walk.position != walk.end:
        raise malformed("CONNECT is longer than its flags say")  # [3.1.2-16] to [3.1.2-19]
    if flags & 0x04:
        raise _refused_will(flags)


def _walk_will(walk: Walk) -> None:
    walk.properties(_WILL)
    _topic(walk)  # [3.1.3-11]
    walk.binary()


def _refused_will(flags: int) -> WillRefused:
    if flags & 0x10:
        return WillRefused(Code.QOS_NOT_SUPPORTED, "QoS 2 is outside the profile")  # [3.2.2-12]
    if flags & 0x20:
        return WillRefused(Code.RETAIN_NOT_SUPPORTED, "retained messages are outside the profile")  # [3.2.2-13]
    return WillRefused(Code.TOPIC_NAME_INVALID, "wills are outside the profile")  # decision D12


def _packet_id(walk: Walk) -> None:
    if not walk.integer(2):
        raise violation("packet id 0")  # [2.2.1-3]


def _walk_puback(walk: Walk) -> None:
    _packet_id(walk)
    if walk.position < walk.end and walk.integer(1) not in _PUBACK_CODES:
        raise violation("a reason code that PUBACK does not have")  # [3.4.2-1]
    if walk.position < walk.end:
        walk.properties(0x40)


def _walk_subscribe(walk: Walk) -> None:
    _packet_id(walk)
    walk.properties(0x82)
    if walk.position == walk.end:
        raise violation("SUBSCRIBE without a filter")  # [3.8.3-2]
    while walk.position < walk.end:
        pattern = walk.text()
        if not pattern:
            raise violation("an empty topic filter")  # [4.7.3-1]
        options = walk.integer(1)
        if options & 0xC0:
            raise malformed("reserved bits of the subscription options are set")  # [3.8.3-5]
        if options & 0x03 == 0x03 or options & 0x30 == 0x30:
            raise violation("QoS 3 or retain handling 3 in the subscription options")
        if options & 0x04 and pattern.startswith("$share/"):
            raise violation("No Local on a shared subscription")  # [3.8.3-4]


def _walk_unsubscribe(walk: Walk) -> None:
    _packet_id(walk)
    walk.properties(0xA2)
    if walk.position == walk.end:
        raise violation("UNSUBSCRIBE without a filter")  # [3.10.3-2]
    while walk.position < walk.end:
        if not walk.text():
            raise violation("an empty topic filter")  # [4.7.3-1]


def _walk_pingreq(_: Walk) -> None:
    """It has no body, and `frame` saw to that."""


def _walk_disconnect(walk: Walk) -> None:
    if walk.position < walk.end and walk.integer(1) not in _CLIENTS_DISCONNECT_CODES:
        raise violation("a reason code that a client does not send in DISCONNECT")  # [3.14.2-1]
    if walk.position < walk.end:
        walk.properties(0xE0)


def _walk_auth(walk: Walk) -> None:
    if walk.position < walk.end and walk.integer(1) not in {0x00, 0x18, 0x19}:
        raise violation("a reason code that AUTH does not have")
    if walk.position < walk.end:
        walk.properties(0xF0)
    if walk.position != walk.end:
        raise malformed("AUTH is longer than its properties say")
    raise violation("AUTH, and CONNECT had no authentication method")  # [4.12.0-7]


_WALKS: Final[Mapping[int, Callable[[Walk], None]]] = {
    0x10: _walk_connect,
    0x40: _walk_puback,
    0x82: _walk_subscribe,
    0xA2: _walk_unsubscribe,
    0xC0: _walk_pingreq,
    0xE0: _walk_disconnect,
    0xF0: _walk_auth,
}


def walk_packet(first: int, walk: Walk) -> None:
    """Check the body of the packet that begins with the byte `first`; raise `PacketRefused`."""
    _WALKS[first](walk)
    if walk.position != walk.end:
        raise malformed("the packet is longer than what it contains")
