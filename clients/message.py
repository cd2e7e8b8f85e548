"""What an application gets: messages, and news about those it sent."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from blindrelay.clients.content import Chat, Group, Letter, Mail
from blindrelay.clients.mail import Attachment, MailMessage, parse
from blindrelay.clients.receipts import Receipt
from blindrelay.protocol.address import DeviceAddress, UserAddress

if TYPE_CHECKING:
    from blindrelay.clients.device import Device


@dataclass(frozen=True, slots=True)
class Message:
    """A chat or mail that arrived, or a copy of one that another device of ours sent.

    Attributes:
        id: the letter's.
        device: the device that sent it; its enterprise vouches for it.
        sent_at: by the sender's clock.
        group: the group that it was written to, if any.
        mail: everything that a mail says; None for a chat.
        disappears_at: when it is to be forgotten, if ever.
        sent_to: to whom, for a copy of what we sent ourselves.
    """

    id: bytes
    device: DeviceAddress
    text: str = field(repr=False)
    sent_at: datetime
    owner: "Device" = field(repr=False, compare=False)
    group: Group | None = field(default=None, repr=False)
    mail: MailMessage | None = field(default=None, repr=False)
    reply_to: bytes | None = None
    urgent: bool = False
    disappears_at: datetime | None = None
    sent_to: tuple[UserAddress, ...] | None = None
    sealed: bool = False

    @classmethod
    def of(cls, letter: Letter, device: DeviceAddress, owner: "Device") -> Self:
        """The message in `letter`, which is a `Chat` or a `Mail`; raise `ContentRejected`."""
        content = letter.content
        if isinstance(content, Mail):
            mail = parse(letter.attachment)
            text, reply_to = mail.text, None
        elif isinstance(content, Chat):
            mail, text, reply_to = None, content.text, content.reply_to
        else:
            raise TypeError(f"a {content.kind} is no message")
        return cls(
            content.id,
            device,
            text,
            _moment(content.sent_at),
            owner,
            group=content.group,
            mail=mail,
            reply_to=reply_to,
            urgent=content.urgent,
            disappears_at=None if content.disappears_at is None else _moment(content.disappears_at),
            sent_to=letter.copy_for,
            sealed=content.answer_sealed,
        )

    @property
    def sender(self) -> UserAddress:
        """Who wrote it."""
        return self.device.owner

    @property
    def subject(self) -> str:
        """A mail's subject; empty for a chat."""
        return self.mail.subject if self.mail else ""

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """A mail's attachments."""
        return self.mail.attachments if self.mail else ()

    def mentions(self, words: str) -> bool:
        """Whether `words` stand in the text, the subject or the name of an attachment; upper and lower case are the same."""
        written = (self.text, self.subject, *(attachment.name for attachment in self.attachments))
        return any(words.casefold() in each.casefold() for each in written)

    async def reply(self, text: str) -> Receipt:
        """Answer with a chat, to the group or the sender, in the posture that the message came in. See `Device.send`."""
        return await self.owner.answer(self, text)

    def mark_read(self) -> None:
        """Tell the sender's device that it was read, if it has not been told."""
        self.owner.mark_read(self)


class News(StrEnum):
    """What happened; see `Update`."""

    ACCEPTED = "accepted"  # the relay has a letter of ours for `device`
    DELIVERED = "delivered"  # `device` has it
    READ = "read"  # a person read it on `device`
    REFUSED = "refused"  # the relay does not take it for `device`; `reason` says why
    RETRACTED = "retracted"  # its sender took back a letter
    COPY = "copy"  # another device of ours sent a letter: `message`
    UNREADABLE = "unreadable"  # something arrived and could not be read or believed; `reason` says why


@dataclass(frozen=True, slots=True)
class Update:
    """News about a letter (`id`), by or about `device`."""

    news: News
    id: bytes
    device: DeviceAddress | None = None
    reason: str = ""
    message: Message | None = None


def _moment(milliseconds: int) -> datetime:
    # A sender's clock may say anything; what no calendar holds is shown as the latest that it does.
    return datetime.fromtimestamp(min(milliseconds / 1000, 253_402_300_799), UTC)
