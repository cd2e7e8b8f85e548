"""Mails: what is written comes out, files included, and nobody's mail breaks the reader."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from email import message_from_bytes

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blindrelay.clients.content import Letter, encode
from blindrelay.clients.content import Mail as MailContent
from blindrelay.clients.errors import ContentRejected, ContentTooLarge, NotPossible
from blindrelay.clients.mail import MAX_ATTACHMENTS_SIZE, QUOTES, Attachment, MailMessage, build, parse
from blindrelay.protocol.address import UserAddress

ALICE = UserAddress.parse("alice@acme.example")
BOB = UserAddress.parse("bob@globex.example")
EVE = UserAddress.parse("e.v-e_1@globex.example")
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)

PRINTABLE = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=300)


def mail(**changes) -> MailMessage:
    """A mail from alice to bob."""
    fields = {"sender": ALICE, "to": (BOB,), "subject": "Plans", "text": "Shall we meet?", "date": NOON}
    return MailMessage(**(fields | changes))


@given(
    subject=st.text(PRINTABLE, max_size=120),
    text=TEXTS,
    name=st.text(PRINTABLE.filter(lambda char: char not in "/\\"), min_size=1, max_size=60),
    data=st.binary(max_size=300),
    cc=st.sampled_from([(), (EVE,), (EVE, BOB)]),
)
@settings(max_examples=100, deadline=None)
@example(subject="", text="", name='""', data=b"", cc=())
@example(subject="", text="", name="<a>", data=b"", cc=())
@example(subject="Ünïcode 😀 " * 9, text="a\n\nb\n", name="Räksmörgås 2026.pdf", data=b"\r\n.\r\nFrom x", cc=(EVE,))
def test_what_is_written_comes_out(subject, text, name, data, cc):
    """Subject, text, recipients, file names and files come out as they went in; quotes in file names are softened."""
    sent = mail(subject=subject.strip(), text=text, cc=cc, attachments=(Attachment(name, data, "image/png"),))
    read = parse(build(sent, bytes(16)))
    assert (read.sender, read.to, read.cc, read.date) == (ALICE, (BOB,), cc, NOON)
    assert " ".join(read.subject.split()) == " ".join(sent.subject.split())
    assert read.text == text
    assert [(each.data, each.media_type) for each in read.attachments] == [(data, "image/png")]
    if name.strip(". ") and name == name.strip():
        assert [each.name for each in read.attachments] == [name.translate(QUOTES)]


@given(st.binary(max_size=600))
@settings(max_examples=150, deadline=None)
@example(b"")
@example(b"From: x\n\n")
@example(b"From: alice@acme.example\nDate: never\n\nx")
@example(
    b"From: alice@acme.example\nContent-Type: text/plain; charset=nonsense\nDate: Fri, 01 May 2026 12:00:00 +0000\n\nx"
)
@example(b"From: alice@acme.example\nContent-Type: multipart/mixed; boundary=\n\n--\n")
def test_any_bytes_are_a_mail_or_rejected(data):
    """Any bytes are a mail or are rejected with the typed error, and nothing else."""
    with suppress(ContentRejected):
        assert isinstance(parse(data), MailMessage)


def test_deep_nesting_is_rejected_or_read():
    """A thousand parts within each other do not break the reader."""
    head = b"From: alice@acme.example\nDate: Fri, 01 May 2026 12:00:00 +0000\n"
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(1_000))
    with suppress(ContentRejected):
        parse(head + nested)


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\temp\\passwd", "/passwd", "pass\x00wd", "pass\nwd"])
def test_file_names_are_no_paths(name):
    """A file name that arrives has no folders and no control characters, whatever its sender wrote."""
    good = build(mail(attachments=(Attachment("REPLACE", b"x"),)), bytes(16)).decode()
    quoted = name.replace("\\", "\\\\")
    read = parse(good.replace("REPLACE", quoted).encode())
    assert len(read.attachments) == 1
    assert not set(read.attachments[0].name) & set("/\\\0\n")


@pytest.mark.parametrize("name", ["..", ".", "/", ""])
def test_nameless_files_get_a_name(name):
    """A file without usable name is called attachment."""
    good = build(mail(attachments=(Attachment("REPLACE", b"x"),)), bytes(16)).decode()
    assert parse(good.replace("REPLACE", name).encode()).attachments[0].name == "attachment"


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "a\r\nBcc: eve@globex.example"},
        {"subject": "\ud800"},
        {"text": "\ud800"},
        {"attachments": (Attachment("a\nb", b""),)},
        {"attachments": (Attachment("a", b"", "text"),)},
        {"attachments": (Attachment("a", b"", "message/rfc822"),)},
        {"to": ()},
    ],
)
def test_impossible_mails_are_refused(changes):
    """Control characters in headers, odd media types and mails to nobody are refused."""
    with pytest.raises(NotPossible):
        build(mail(**changes), bytes(16))


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "x" * 501},
        {"text": "x" * (2**20 + 1)},
        {"attachments": (Attachment("a", b""),) * 101},
        {"attachments": (Attachment("a", bytes(MAX_ATTACHMENTS_SIZE + 1)),)},
        {"to": (BOB,) * 1_001},
    ],
)
def test_too_large_mails_are_refused(changes):
    """Each limit is refused with a sentence that names it."""
    with pytest.raises(ContentTooLarge, match="at most"):
        build(mail(**changes), bytes(16))


def test_largest_mail_fits_into_a_letter():
    """Ten mebibytes of attachments and a mebibyte of text fit into one letter and come out."""
    data = os.urandom(MAX_ATTACHMENTS_SIZE)
    built = build(mail(text="ä" * 2**19, attachments=(Attachment("a.bin", data),)), bytes(16))
    encode(Letter(MailContent(id=bytes(16), sent_at=1), built))
    assert parse(built).attachments[0].data == data


def test_is_a_standard_message():
    """The bytes are a message that any mail program can read."""
    message = message_from_bytes(build(mail(), b"\xab" * 16))
    assert message["From"] == "alice@acme.example"
    assert message["Message-ID"] == f"<{'ab' * 16}@acme.example>"
    assert message["MIME-Version"] == "1.0"


def test_what_people_wrote_is_not_in_repr():
    """Neither subject nor text nor file is in a repr."""
    sent = mail(subject="SECRET", text="SECRET", attachments=(Attachment("SECRET", b"SECRET"),))
    assert "SECRET" not in repr(sent)


@pytest.mark.parametrize(
    "field", ["bob@globex.example, carol@globex.example", '"Bob, of Globex" <bob@globex.example>, carol@globex.example']
)
def test_addresses_are_read_plain_and_with_names(field: str) -> None:
    """Other clients may write names beside the addresses; the addresses are what counts."""
    mail = parse(
        b"From: alice@acme.example\r\nTo: " + field.encode() + b"\r\nDate: Mon, 23 Nov 2026 20:00:00 +0000\r\n\r\nHi"
    )
    assert [str(user) for user in mail.to] == ["bob@globex.example", "carol@globex.example"]
