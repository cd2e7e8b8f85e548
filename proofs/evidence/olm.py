"""The outside of an Olm message: which keys it names, without opening it (the Olm specification, "Message formats")."""

from dataclasses import dataclass
from typing import Final

from blindrelay.clients.ratchet import PREKEY, OlmMessage
from blindrelay.protocol.errors import Malformed

_VERSION: Final = 3
_MAC: Final = 8
_VARINT, _BYTES = 0, 2
# Tags of a normal message: ratchet key, chain index, ciphertext.
_RATCHET_KEY, _INDEX = 1, 2
# Tags of a prekey message: one-time key, base key, identity key, the message in it.
_ONE_TIME_KEY, _BASE_KEY, _MESSAGE = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Outside:
    """What a message names: the sender's ratchet key and the place in its chain, and of a first message the prekey that it
    begins with, and the sender's part of that."""

    ratchet_key: bytes
    index: int
    one_time_key: bytes | None = None
    base_key: bytes | None = None


def outside(message: OlmMessage) -> Outside:
    """Parse it; raise `Malformed`."""
    if message.type != PREKEY:
        return _normal(message.body)
    fields = _fields(message.body, len(message.body))
    inner = _normal(_bytes(fields, _MESSAGE))
    return Outside(inner.ratchet_key, inner.index, _bytes(fields, _ONE_TIME_KEY), _bytes(fields, _BASE_KEY))


def _normal(body: bytes) -> Outside:
    fields = _fields(body, len(body) - _MAC)
    index = fields.get(_INDEX)
    if not isinstance(index, int):
        raise Malformed("a ratchet message without its place in the chain")
    return Outside(_bytes(fields, _RATCHET_KEY), index)


def _bytes(fields: dict[int, int | bytes], tag: int) -> bytes:
    found = fields.get(tag)
    if not isinstance(found, bytes):
        raise Malformed(f"a ratchet message without field {tag}")
    return found


def _fields(body: bytes, end: int) -> dict[int, int | bytes]:
    if not body or body[0] != _VERSION:
        raise Malformed(f"a ratchet message of another version than {_VERSION}")
    found: dict[int, int | bytes] = {}
    position = 1
    while position < end:
        key, position = _varint(body, position)
        value, position = _varint(body, position)
        if key & 7 == _VARINT:
            found[key >> 3] = value
        elif key & 7 == _BYTES:
            found[key >> 3] = body[position : position + value]
            position += value
        else:
            raise Malformed("a ratchet message with a field of an unknown kind")
    return found


def _varint(body: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(body) or shift > 63:
            raise Malformed("a ratchet message that is cut off")
        byte = body[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if not byte & 0x80:
            return value, position
