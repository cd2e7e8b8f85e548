"""Content: what is written comes out, what is not of the form is refused, and neither is shown by accident."""

import json
import struct
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blindrelay.clients.content import (
    MAX_LETTER,
    MAX_TEXT,
    Chat,
    Delivered,
    Group,
    Letter,
    Mail,
    Profile,
    Read,
    Retract,
    decode,
    encode,
)
from blindrelay.clients.errors import ContentRejected, ContentTooLarge
from blindrelay.protocol.address import UserAddress

IDS = st.binary(min_size=16, max_size=16)
MOMENTS = st.integers(0, 2**53 - 1)
USERS = st.sampled_from([UserAddress.parse("bob@globex.example"), UserAddress.parse("eve@acme.example")])
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
GROUPS = st.none() | st.builds(Group, id=IDS, name=TEXT, members=st.lists(USERS, min_size=1, max_size=3))
WRITTEN = {
    "id": IDS,
    "sent_at": MOMENTS,
    "group": GROUPS,
    "urgent": st.booleans(),
    "disappears_at": st.none() | MOMENTS,
}
RECEIPT = {"id": IDS, "sent_at": MOMENTS, "letters": st.lists(IDS, min_size=1, max_size=5)}
COPIES = st.none() | st.lists(USERS, min_size=1, max_size=3).map(tuple)
LETTERS = st.builds(
    Letter,
    st.builds(Chat, text=TEXT, reply_to=st.none() | IDS, **WRITTEN)
    | st.builds(Delivered, **RECEIPT)
    | st.builds(Read, **RECEIPT)
    | st.builds(Retract, id=IDS, sent_at=MOMENTS, letter=IDS)
    | st.builds(
        Profile, id=IDS, sent_at=MOMENTS, display_name=TEXT, token=st.none() | st.binary(min_size=32, max_size=32)
    ),
    st.just(b""),
    COPIES,
) | st.builds(Letter, st.builds(Mail, **WRITTEN), st.binary(min_size=1, max_size=200), COPIES)


@given(LETTERS)
@settings(max_examples=150, deadline=None)
def test_what_is_encoded_comes_out(letter):
    """Every letter comes out as it went in."""
    assert decode(encode(letter)) == letter


@given(st.binary(max_size=300))
@settings(max_examples=200)
@example(b"")
@example(b"\x01\xff\xff\xff\xff")
@example(b"\x01\x00\x00\x00\x04null")
def test_any_bytes_are_rejected(data):
    """Any bytes that are no letter are rejected with the typed error, and nothing else."""
    with pytest.raises(ContentRejected):
        decode(data)


@given(LETTERS, st.data())
@settings(max_examples=100, deadline=None)
def test_a_changed_byte_is_a_letter_or_rejected(letter, data):
    """A letter with a byte changed is a letter or is rejected with the typed error."""
    encoded = bytearray(encode(letter))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(ContentRejected):
        assert isinstance(decode(bytes(encoded)), Letter)


def packed(head: object, attachment: bytes = b"") -> bytes:
    """A letter with that head."""
    encoded = json.dumps(head).encode()
    return struct.pack(">BI", 1, len(encoded)) + encoded + attachment


ZEROS = "AAAAAAAAAAAAAAAAAAAAAA=="


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "bomb", "id": ZEROS, "sent_at": 1},
        {"kind": "chat", "id": ZEROS, "sent_at": 1},
        {"kind": "chat", "id": "AAAA", "sent_at": 1, "text": "x"},
        {"kind": "chat", "id": ZEROS, "sent_at": -1, "text": "x"},
        {"kind": "chat", "id": ZEROS, "sent_at": 1, "text": "x" * (MAX_TEXT + 1)},
        {"kind": "chat", "id": ZEROS, "sent_at": 1, "text": "x", "more": 1},
        {"kind": "read", "id": ZEROS, "sent_at": 1, "letters": []},
        {"kind": "read", "id": ZEROS, "sent_at": 1, "letters": [ZEROS] * 513},
        {"kind": "profile", "id": ZEROS, "sent_at": 1, "token": "AAAA"},
        {"kind": "chat", "id": ZEROS, "sent_at": 1, "text": "x", "group": {"id": ZEROS, "name": "g", "members": ["?"]}},
        None,
    ],
)
def test_malformed_content_is_rejected(content):
    """Unknown kinds, missing, surplus, overlong and misshapen fields are rejected."""
    with pytest.raises(ContentRejected):
        decode(packed({"content": content}))


@pytest.mark.parametrize(("kind", "attachment"), [("mail", b""), ("chat", b"x")])
def test_mails_alone_carry_an_attachment(kind, attachment):
    """A mail without message, and anything else with one, is neither read nor written."""
    content = {"kind": kind, "id": ZEROS, "sent_at": 1} | ({"text": "x"} if kind == "chat" else {})
    with pytest.raises(ContentRejected, match="attachment"):
        decode(packed({"content": content}, attachment))
    made = Mail(id=bytes(16), sent_at=1) if kind == "mail" else Chat(id=bytes(16), sent_at=1, text="x")
    with pytest.raises(ValueError, match="attachment"):
        encode(Letter(made, attachment))


def test_newer_version_says_update():
    """A letter of a newer version is rejected with the advice to update."""
    with pytest.raises(ContentRejected, match="update"):
        decode(b"\x02" + packed({})[1:])


def test_too_large_letters_are_neither_written_nor_read():
    """A letter over the limit is refused on both sides."""
    with pytest.raises(ContentTooLarge, match="MiB"):
        encode(Letter(Mail(id=bytes(16), sent_at=1), bytes(MAX_LETTER)))
    with pytest.raises(ContentRejected, match="at most"):
        decode(bytes(MAX_LETTER + 1))


def test_what_people_wrote_is_in_no_error_and_no_repr():
    """Neither text nor token nor attachment is shown by an error or a repr."""
    with pytest.raises(ContentRejected) as caught:
        decode(packed({"content": {"kind": "chat", "id": ZEROS, "sent_at": 1, "text": ["SECRET"]}}))
    chat = Chat(id=bytes(16), sent_at=1, text="SECRET", group=Group(id=bytes(16), name="SECRET", members=["a@b.c"]))
    profile = Profile(id=bytes(16), sent_at=1, display_name="SECRET", token=b"SECRET" + bytes(26))
    for value in (caught.value, Letter(chat), chat, profile, Letter(Mail(id=bytes(16), sent_at=1), b"SECRET")):
        assert "SECRET" not in repr(value) + str(value)
    assert caught.value.__cause__ is None
