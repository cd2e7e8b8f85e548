"""What the key store keeps in order: letters on their way out, and the history of conversations. Plain values."""

from dataclasses import dataclass, field

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
