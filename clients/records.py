"""What the key store keeps in order: letters on their way out, and the history of conversations. Plain values.

Each becomes the bytes of one row: length of head (4 bytes, big endian), JSON head, and the raw bytes that it carries.
"""

import json
import struct
from dataclasses import dataclass, field
from typing import Any

from blindrelay.clients.errors import StoreDamaged
from blindrelay.protocol.address import DeviceAddress


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """An envelope that the relay has not acknowledged yet. The same bytes go out under the same id until it does.

    Attributes:
        sequence: order of sending; 0 until the store has given it one.
        message_id: 16 bytes, the MQTT correlation data.
        recipient: the device it is sealed to.
        content_id: the letter it is a part of, so that a caller can tell when all of a letter is accepted.
        expires_at: epoch seconds; the same value is inside.
        anonymous: to be sent over a sealed-sender connection.
    """

    message_id: bytes
    recipient: DeviceAddress
    content_id: bytes
    expires_at: int
    anonymous: bool
    envelope: bytes = field(repr=False)
    sequence: int = 0

    def encode(self) -> bytes:
        """The bytes of the row; the sequence is the row's key and not among them."""
        head = [self.message_id.hex(), str(self.recipient), self.content_id.hex(), self.expires_at, self.anonymous]
        return _join(head, self.envelope)

    @classmethod
    def decode(cls, data: bytes, sequence: int) -> "OutboxEntry":
        """What `encode` made; raise `StoreDamaged`."""
        head, envelope = _split(data, 5)
        message_id, recipient, content_id, expires_at, anonymous = head
        return cls(
            bytes.fromhex(message_id),
            DeviceAddress.parse(recipient),
            bytes.fromhex(content_id),
            expires_at,
            anonymous,
            envelope,
            sequence,
        )


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One letter of a conversation, in or out.

    Attributes:
        sequence: position in the history; 0 until the store has given it one.
        conversation: the other side, as the caller names conversations (a user's address, a group's id in hex).
        content_id: the letter's own id.
        sender: the device that sent it.
        at: epoch seconds, when it was stored here.
        disappears_at: epoch seconds after which it is deleted, or None.
        letter: the encoded letter (`content.encode`).
        marks: what is known about it: `{"bob@globex.example": "read"}`, `{"retracted": "yes"}`; the caller's vocabulary.
    """

    conversation: str
    content_id: bytes
    sender: DeviceAddress
    at: int
    letter: bytes = field(repr=False)
    disappears_at: int | None = None
    marks: dict[str, str] = field(default_factory=dict)
    sequence: int = 0

    def encode(self) -> bytes:
        """The bytes of the row; the sequence is the row's key and not among them."""
        head = [
            self.conversation,
            self.content_id.hex(),
            str(self.sender),
            self.at,
            self.disappears_at,
            self.marks,
        ]
        return _join(head, self.letter)

    @classmethod
    def decode(cls, data: bytes, sequence: int) -> "HistoryEntry":
        """What `encode` made; raise `StoreDamaged`."""
        head, letter = _split(data, 6)
        conversation, content_id, sender, at, disappears_at, marks = head
        return cls(
            conversation,
            bytes.fromhex(content_id),
            DeviceAddress.parse(sender),
            at,
            letter,
            disappears_at,
            marks,
            sequence,
        )


_LENGTH = struct.Struct(">I")


def _join(head: list[Any], tail: bytes) -> bytes:
    encoded = json.dumps(head, separators=(",", ":")).encode()
    return _LENGTH.pack(len(encoded)) + encoded + tail


def _split(data: bytes, fields: int) -> tuple[list[Any], bytes]:
    # The bytes were authenticated before, so that this can fail only where two versions of this program differ.
    try:
        (length,) = _LENGTH.unpack_from(data)
        head = json.loads(data[_LENGTH.size : _LENGTH.size + length])
    except (struct.error, ValueError):
        head = None
    if not isinstance(head, list) or len(head) != fields:
        raise StoreDamaged("a row of the key store has an unknown form: another version of this program wrote it")
    return head, data[_LENGTH.size + length :]
