"""SIG"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from blindrelay.protocol.address import UserAddress


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail."""

    name: str = field(repr=False)
    data: bytes = field(repr=False)
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class MailMessage:
    """What a mail says."""

    sender: UserAddress
    to: tuple[UserAddress, ...]
    subject: str = field(repr=False)
    text: str = field(repr=False)
    date: datetime
    cc: tuple[UserAddress, ...] = ()
    attachments: tuple[Attachment, ...] = ()


def build(message: MailMessage, content_id: bytes) -> bytes:
    """RFC 5322 bytes: the attachment of a `content.Mail` letter. Raises ContentTooLarge."""
    raise NotImplementedError


def parse(data: bytes) -> MailMessage:
    """Raises ContentRejected."""
    raise NotImplementedError
