"""Signed notes, held to the vectors of golang.org/x/mod/sumdb/note and of https://c2sp.org/signed-note."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.keys import SigningKey, VerifierKey
from blindrelay.protocol.transparency.note import MAX_NOTE, Note, Signature, parse_signatures
from support.merkle import mutated

# The examples of golang.org/x/mod/sumdb/note (package documentation and note_test.go).
PETER: Final = VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
ENOCH: Final = VerifierKey.parse("EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop")
PETER_PRIVATE: Final = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT: Final = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
BY_PETER: Final = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
BY_ENOCH: Final = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
# The example of https://c2sp.org/signed-note.
SPECIFICATION_KEY: Final = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPECIFICATION_NOTE: Final = (
    "This is an example message.\n"
    "\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def note_of(*lines: str, text: str = TEXT) -> Note:
    return Note.parse((text + "\n" + "".join(lines)).encode())


def test_signing_gives_the_published_note() -> None:
    """Ed25519 is deterministic: byte for byte what Go writes."""
    signed = Note(TEXT).sign(SigningKey.parse(PETER_PRIVATE))
    assert signed.encode().decode() == TEXT + "\n" + BY_PETER


def test_the_published_notes_verify() -> None:
    """Each signature under its own key, whoever else has signed."""
    note = note_of(BY_PETER, BY_ENOCH)
    assert note.text == TEXT
    assert note.is_signed_by(PETER)
    assert note.is_signed_by(ENOCH)
    assert not note_of(BY_PETER).is_signed_by(ENOCH)
    assert Note.parse(SPECIFICATION_NOTE.encode()).is_signed_by(VerifierKey.parse(SPECIFICATION_KEY))


def test_another_text_is_not_signed() -> None:
    """Not with a space more."""
    assert not note_of(BY_PETER, text=TEXT.replace("answer", "answers")).is_signed_by(PETER)


def test_a_false_signature_of_a_known_key_spoils_the_note() -> None:
    """Somebody has tampered with it (signed-note: "clients SHOULD reject the whole note"). Of an unknown key it is ignored."""
    false = BY_PETER[:60] + "ABCD" + BY_PETER[60:]
    assert not note_of(false).is_signed_by(PETER)
    assert not note_of(BY_PETER, false).is_signed_by(PETER)
    assert note_of(BY_PETER, false, BY_ENOCH).is_signed_by(ENOCH)


def test_a_signature_that_is_there_twice_counts_once() -> None:
    """And does no harm."""
    assert note_of(BY_PETER, BY_PETER).is_signed_by(PETER)


def test_a_key_of_the_same_id_is_another_key() -> None:
    """Four bytes can be made to match: name and signature cannot."""
    signature = note_of(BY_PETER).signatures[0]
    assert not Note(TEXT, (Signature("EnochRoot", signature.key_id, signature.data),)).is_signed_by(PETER)
    assert not Note(TEXT, (Signature(PETER.name, ENOCH.key_id, signature.data),)).is_signed_by(PETER)


def test_the_text_may_have_empty_lines() -> None:
    """The signatures begin after the last one."""
    key = SigningKey.parse(PETER_PRIVATE)
    note = Note("one\n\ntwo\n\n").sign(key)
    assert Note.parse(note.encode()) == note
    assert note.is_signed_by(PETER)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(TEXT, id="no signatures"),
        pytest.param(TEXT + "\n", id="no signature after the blank line"),
        pytest.param(TEXT + "\n" + BY_PETER[:-1], id="an unfinished line"),
        pytest.param("\x01" + TEXT + "\n" + BY_PETER, id="a control character in the text"),
        pytest.param(TEXT + "\n" + BY_PETER.replace("PeterNeumann", "Peter\x01Neumann"), id="one in a name"),
        pytest.param(TEXT.replace("\n", "\r\n") + "\n" + BY_PETER, id="a carriage return"),
        pytest.param(TEXT + "\n" + BY_PETER.replace("PeterNeumann", "Bad Name"), id="a name with a space"),
        pytest.param(TEXT + "\n" + BY_PETER.replace("PeterNeumann", "Bad+Name"), id="a name with a plus sign"),
        pytest.param(TEXT + "\n" + BY_PETER.replace("— ", "- "), id="another dash"),
        pytest.param(TEXT + "\n" + BY_PETER + "Unexpected line.\n", id="a line that is none"),
        pytest.param(TEXT + "\n" + BY_PETER.replace("nAM=", "nAN="), id="stray bits"),
        pytest.param(TEXT + "\n— PeterNeumann x08gow==\n", id="a key id alone"),
        pytest.param(TEXT + "\n" + BY_PETER * 101, id="a hundred and one signatures"),
        pytest.param("a" * MAX_NOTE + "\n\n" + BY_PETER, id="too long"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_no_note(data: str) -> None:
    """The list of note_test.go, and some more."""
    with pytest.raises(Malformed):
        Note.parse(data.encode())


def test_a_note_is_utf_8() -> None:
    """Bytes that are not are refused, and text that could not be written is, too."""
    with pytest.raises(Malformed):
        Note.parse(b"\xff" + TEXT.encode() + b"\n" + BY_PETER.encode())
    with pytest.raises(Malformed):
        Note("\ud800\n")


def test_at_least_sixteen_signatures_are_taken() -> None:
    """Of post-quantum algorithms with 5 kB each, nine fit; of those in use today, a hundred."""
    assert len(note_of(*[BY_PETER] * 100).signatures) == 100


@given(mutated((TEXT + "\n" + BY_PETER + BY_ENOCH).encode()) | st.binary(max_size=200))
def test_whatever_is_no_note_is_malformed(data: bytes) -> None:
    """The parser raises nothing else; what it takes is written again to the same bytes; and what is signed is the text."""
    try:
        note = Note.parse(data)
    except Malformed:
        return
    assert note.encode() == data
    assert note.text == TEXT or not note.is_signed_by(PETER)


@given(st.text(max_size=80) | mutated(BY_PETER.encode()).map(lambda data: data.decode("utf-8", "replace")))
def test_whatever_is_no_signature_is_malformed(text: str) -> None:
    """Of single lines as well."""
    try:
        signatures = parse_signatures(text)
    except Malformed:
        return
    assert "".join(map(str, signatures)) == text
