"""What people say to one another, and what their clients tell each other about it. It exists inside the ciphertext only.

A `Letter` is one piece of content as it travels (inside one or several envelopes):

    version 1 (1 byte) | length of head (4 bytes, big endian) | head: JSON of `_Head` | attachment: the rest, raw bytes

The attachment is the RFC 5322 message of a `Mail`, raw because base64 in JSON would cost a third of ten megabytes again.
"""

import struct
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from blindrelay.clients.errors import ContentRejected, ContentTooLarge
from blindrelay.protocol.address import UserAddress, UserField
from blindrelay.protocol.credentials import TOKEN_LENGTH
from blindrelay.protocol.statements import Wire

VERSION = 1
# Ten mebibytes of attachments (the promise to users) are 13.6 MiB in MIME's base64; the rest is for text and headers.
MAX_LETTER = 16 * 2**20
# A chat of ten thousand words. More is a mail.
MAX_TEXT = 65_536
# Fan-out is one envelope per device: a thousand people with two devices are 2,000 envelopes for one sentence.
MAX_MEMBERS = 1_000
# A client acknowledges a backlog in batches; 16 bytes each in base64 keep a full batch at 12 KB.
MAX_RECEIPTS = 512
MAX_NAME = 200
# A checkpoint with the signatures of its log: two at most, while a key is being replaced.
MAX_SEEN = 1_024

_PREFIX = struct.Struct(">BI")

#: Names one piece of content, chosen by its sender at random. Never shown to the relay, and not the envelope's message id.
ContentId = Annotated[bytes, Field(min_length=16, max_length=16)]
#: Milliseconds since the epoch, on the sender's own clock.
Moment = Annotated[int, Field(ge=0, lt=2**53)]


class Group(Wire):
    """A group is what its members say it is: it travels with each message, and the relay cannot tell that there is one."""

    id: ContentId
    name: Annotated[str, Field(max_length=MAX_NAME, repr=False)]
    members: Annotated[list[UserField], Field(min_length=1, max_length=MAX_MEMBERS)]


class _Content(Wire):
    id: ContentId
    sent_at: Moment


class _Written(_Content):
    """What a person wrote. `disappears_at` (epoch milliseconds) is absolute: every client deletes it then.

    `answer_sealed` asks for receipts and answers in the posture that this came in, or not at all: an answer over a
    connection that names its sender would tell the relay who had written.
    """

    group: Group | None = None
    urgent: bool = False
    disappears_at: Moment | None = None
    answer_sealed: bool = False


class Chat(_Written):
    """A short text."""

    kind: Literal["chat"] = "chat"
    text: Annotated[str, Field(max_length=MAX_TEXT, repr=False)]
    reply_to: ContentId | None = None


class Mail(_Written):
    """An RFC 5322 message; it is the letter's attachment, and `blindrelay.clients.mail` builds and reads it."""

    kind: Literal["mail"] = "mail"


class Delivered(_Content):
    """A device has these letters in its store."""

    kind: Literal["delivered"] = "delivered"
    letters: Annotated[list[ContentId], Field(min_length=1, max_length=MAX_RECEIPTS)]


class Read(_Content):
    """A person has seen these letters."""

    kind: Literal["read"] = "read"
    letters: Annotated[list[ContentId], Field(min_length=1, max_length=MAX_RECEIPTS)]


class Retract(_Content):
    """The sender takes a letter back: clients stop showing it. Only the user who sent it may."""

    kind: Literal["retract"] = "retract"
    letter: ContentId
    answer_sealed: bool = False


class Profile(_Content):
    """How to call the sender, and the delivery token with which to write to them without saying who writes."""

    kind: Literal["profile"] = "profile"
    display_name: Annotated[str, Field(max_length=MAX_NAME, repr=False)] = ""
    token: Annotated[bytes | None, Field(min_length=TOKEN_LENGTH, max_length=TOKEN_LENGTH, repr=False)] = None


Content = Annotated[Chat | Mail | Delivered | Read | Retract | Profile, Field(discriminator="kind")]


class _Head(Wire):
    content: Content
    copy_for: Annotated[list[UserField], Field(min_length=1, max_length=MAX_MEMBERS)] | None = None
    seen: Annotated[bytes | None, Field(max_length=MAX_SEEN, repr=False)] = None


@dataclass(frozen=True, slots=True)
class Letter:
    """One piece of content on its way.

    `copy_for` marks a copy for the sender's own other devices and says to whom the original went. `seen` is the newest
    checkpoint of the directory's log that the sender's device knows: see `blindrelay.clients.heads`.
    """

    content: Chat | Mail | Delivered | Read | Retract | Profile
    attachment: bytes = field(default=b"", repr=False)
    copy_for: tuple[UserAddress, ...] | None = None
    seen: bytes = field(default=b"", repr=False)


def encode(letter: Letter) -> bytes:
    """The bytes of `letter`.

    Raises:
        ContentTooLarge: they are more than `MAX_LETTER`.
        ValueError: only a mail has an attachment, and a mail always has one.
    """
    if bool(letter.attachment) is not isinstance(letter.content, Mail):
        raise ValueError("a mail carries its message as attachment, and nothing else carries one")
    head = _Head(
        content=letter.content,
        copy_for=None if letter.copy_for is None else list(letter.copy_for),
        seen=letter.seen or None,
    ).model_dump_json(exclude_defaults=False, exclude_none=True)
    encoded = head.encode()
    if _PREFIX.size + len(encoded) + len(letter.attachment) > MAX_LETTER:
        raise ContentTooLarge(f"a message may hold {MAX_LETTER // 2**20} MiB with everything in it; send it in several")
    return _PREFIX.pack(VERSION, len(encoded)) + encoded + letter.attachment


def decode(data: bytes) -> Letter:
    """Parse what `encode` made; raise `ContentRejected`. What people wrote never appears in the error."""
    if len(data) > MAX_LETTER:
        raise ContentRejected(f"content of {len(data)} bytes: expected {MAX_LETTER} at most")
    if len(data) < _PREFIX.size:
        raise ContentRejected("content is cut off")
    version, length = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise ContentRejected(f"content of version {version}: this client understands version {VERSION}; update it")
    if _PREFIX.size + length > len(data):
        raise ContentRejected("content is cut off")
    try:
        head = _Head.model_validate_json(data[_PREFIX.size : _PREFIX.size + length])
    except ValidationError as error:
        places = sorted({".".join(str(step) for step in item["loc"][:3]) for item in error.errors(include_input=False)})
        raise ContentRejected(f"content is malformed or of an unknown kind, at {', '.join(places)[:200]}") from None
    attachment = data[_PREFIX.size + length :]
    if bool(attachment) is not isinstance(head.content, Mail):
        raise ContentRejected("a mail carries its message as attachment, and nothing else carries one")
    copy_for = None if head.copy_for is None else tuple(head.copy_for)
    return Letter(head.content, attachment, copy_for, head.seen or b"")
