"""Mails are RFC 5322 messages with MIME parts (RFC 2045), built and read by the standard library's `email` package.

They are a letter's attachment and never leave the ciphertext: subject, names of attachments and all.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage, Message
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final

from blindrelay.clients.errors import ContentRejected, ContentTooLarge, NotPossible
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.errors import Malformed

MAX_ATTACHMENTS_SIZE = 10 * 2**20
# A person picks files one by one; more than this is an archive file's job.
MAX_ATTACHMENTS = 100
# Twenty novels. It has to fit beside the attachments.
MAX_TEXT = 2**20
MAX_SUBJECT = 500
MAX_RECIPIENTS = 1_000

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}", re.ASCII)
# The fields that only say how a message is built: a few different values, asked for again and again.
_STRUCTURE = frozenset({"content-type", "content-transfer-encoding", "content-disposition", "mime-version"})
# A list of plain addresses, as our own clients write it.
_ADDRESSES = re.compile(r"[a-z0-9._-]+@[a-z0-9.-]+(?:,\s+[a-z0-9._-]+@[a-z0-9.-]+)*", re.ASCII)


class _Fields(HeaderRegistry):
    """The email package's parser of fields, which takes half a millisecond for each, asked once for what is always the same."""

    def __call__(self, name: str, value: str) -> Any:
        if name.lower() in _STRUCTURE and len(value) < 100:
            return _structure_field(name, value)
        return super().__call__(name, value)


@lru_cache(maxsize=64)
def _structure_field(name: str, value: str) -> Any:
    return HeaderRegistry()(name, value)


_POLICY = policy.SMTP.clone(cte_type="8bit", utf8=True, header_factory=_Fields())
# The email package answers odd bytes with all of these.
_CANNOT_READ = (MessageError, ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)


# The email package takes these for its own around a parameter, and no file on Windows may have them in its name.
QUOTES: Final = str.maketrans('"<>', "'()")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail. `name` is a plain file name, without folders."""

    name: str = field(repr=False)
    data: bytes = field(repr=False)
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class MailMessage:
    """What a mail says. `date` is aware of its time zone."""

    sender: UserAddress
    to: tuple[UserAddress, ...]
    subject: str = field(repr=False)
    text: str = field(repr=False)
    date: datetime
    cc: tuple[UserAddress, ...] = ()
    attachments: tuple[Attachment, ...] = ()


def build(mail: MailMessage, content_id: bytes) -> bytes:
    """The RFC 5322 bytes of a mail. In names of files, double quotes and angle brackets become single and round ones.

    Raises:
        ContentTooLarge: text, attachments or number of recipients.
        NotPossible: no recipients, or control characters in the subject or a file name.
    """
    _check(mail)
    message = EmailMessage(policy=_POLICY)
    message["From"] = _address(mail.sender)
    message["To"] = [_address(user) for user in mail.to]
    if mail.cc:
        message["Cc"] = [_address(user) for user in mail.cc]
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.date)
    message["Message-ID"] = f"<{content_id.hex()}@{mail.sender.tenant}>"
    # Base64 for both: the parser takes a body apart by lines, and would change what is 8 bit.
    # And a line break after the text, for the package ends the last line only where it has not ended.
    message.set_content(mail.text + "\n", cte="base64")
    for attachment in mail.attachments:
        main, _, sub = attachment.media_type.partition("/")
        message.add_attachment(attachment.data, maintype=main, subtype=sub, filename=attachment.name.translate(QUOTES))
    return message.as_bytes()


def parse(data: bytes) -> MailMessage:
    """Read a mail that arrived; file names come without folders and control characters.

    Raises:
        ContentRejected: it is not a mail of this form. What it says is not in the error.
    """
    try:
        message = message_from_bytes(data, policy=_POLICY)
        return _read(message)
    except _CANNOT_READ:
        raise ContentRejected("a mail arrived that is not a readable RFC 5322 message") from None


def _check(mail: MailMessage) -> None:
    if not mail.to:
        raise NotPossible("a mail needs at least one recipient")
    if len(mail.to) + len(mail.cc) > MAX_RECIPIENTS:
        raise ContentTooLarge(f"a mail goes to {MAX_RECIPIENTS} people at most")
    if len(mail.subject) > MAX_SUBJECT:
        raise ContentTooLarge(f"a subject has {MAX_SUBJECT} characters at most")
    if _unpaired(mail.text):
        raise NotPossible("the text of the mail has half a character in it (an unpaired surrogate): remove it")
    if len(mail.text.encode()) > MAX_TEXT:
        raise ContentTooLarge(f"the text of a mail has {MAX_TEXT // 2**20} MiB at most: attach it as a file")
    if len(mail.attachments) > MAX_ATTACHMENTS:
        raise ContentTooLarge(f"a mail has {MAX_ATTACHMENTS} attachments at most")
    if sum(len(attachment.data) for attachment in mail.attachments) > MAX_ATTACHMENTS_SIZE:
        raise ContentTooLarge(f"attachments have {MAX_ATTACHMENTS_SIZE // 2**20} MiB together at most")
    for text in (mail.subject, *(attachment.name for attachment in mail.attachments)):
        if _CONTROL.search(text) or _unpaired(text):
            raise NotPossible("a subject or file name has a line break or control character in it: remove it")
    for attachment in mail.attachments:
        if not _MEDIA_TYPE.fullmatch(attachment.media_type) or attachment.media_type.startswith(
            ("multipart/", "message/")
        ):
            raise NotPossible(f"{attachment.media_type[:80]!r} is not a media type of a file, such as application/pdf")


def _unpaired(text: str) -> bool:
    return _SURROGATE.search(text) is not None


def _address(user: UserAddress) -> Address:
    return Address(username=user.user, domain=user.tenant)


def _read(message: Message | EmailMessage) -> MailMessage:
    if not isinstance(message, EmailMessage):
        raise ContentRejected("not a mail")
    body = message.get_body(("plain",))
    text = "" if body is None else body.get_content()
    senders = _users(message, "From")
    if len(senders) != 1 or not isinstance(text, str):
        raise Malformed("a mail has one sender and a text")
    return MailMessage(
        sender=senders[0],
        to=_users(message, "To"),
        cc=_users(message, "Cc"),
        subject=_CONTROL.sub(" ", str(message["Subject"] or "")),
        # Lines end with CRLF in MIME, and so does the last one, which the writer did not end.
        text=text.replace("\r\n", "\n").removesuffix("\n"),
        date=_date(str(message["Date"] or "")),
        attachments=tuple(_attachments(message.iter_attachments())),
    )


def _users(message: EmailMessage, header: str) -> tuple[UserAddress, ...]:
    raw = [value for name, value in message.raw_items() if name.lower() == header.lower()]
    if len(raw) == 1 and _ADDRESSES.fullmatch(plain := str(raw[0]).strip()):
        return tuple(UserAddress.parse(address.strip()) for address in plain.split(","))
    field_ = message[header]
    return () if field_ is None else tuple(UserAddress.parse(each.addr_spec) for each in field_.addresses)


def _date(text: str) -> datetime:
    date = parsedate_to_datetime(text)
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def _attachments(found: Iterable[Message]) -> Iterable[Attachment]:
    for part in found:
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            yield Attachment(_plain_name(part.get_filename() or ""), payload, part.get_content_type())


def _plain_name(name: str) -> str:
    """A name that can be given to a file: the sender chose it, so it may try to be a path."""
    last = _CONTROL.sub("", re.split(r"[/\\]", name)[-1]).strip()
    return last if last.strip(".") else "attachment"
