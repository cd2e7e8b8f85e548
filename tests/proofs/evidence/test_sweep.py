"""A canary is found wherever it stands, in every form and wrapping, and only there."""

import base64
import gzip
import json
import sys
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from blindrelay.proofs.evidence import transforms
from blindrelay.proofs.evidence.canaries import TAG_LENGTH, Kind, Registry
from blindrelay.proofs.evidence.sweep import OVERLAP, PIECE, NothingPlanted, Sweep

KEY = sha256(b"a key").digest()


@pytest.fixture
def registry() -> Registry:
    """A run with two texts and a key in it."""
    registry = Registry()
    registry.text(Kind.SUBJECT, "of a mail", words="Draft")
    registry.text(Kind.BODY, "of a chat", 300)
    registry.secret(Kind.PRIVATE_KEY, "of a device", KEY)
    return registry


def deflate(data: bytes) -> bytes:
    """A deflate stream without any head (RFC 1951)."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def zstandard(data: bytes) -> bytes:
    """A frame of Zstandard that has `data` in it, and not as it is: what is short is left so, so there is more around it."""
    around = " ".join(f"A letter of {number} words." for number in range(200)).encode()
    frame = zstd.compress(around + data + around)
    assert data[:TAG_LENGTH] not in frame
    return frame


WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "UTF-16, little end first": lambda data: data.decode().encode("utf-16-le"),
    "UTF-16, big end first": lambda data: data.decode().encode("utf-16-be"),
    "hex": lambda data: data.hex().encode(),
    "HEX": lambda data: data.hex().upper().encode(),
    **{
        f"base64 at {shift}": lambda data, shift=shift: base64.b64encode(b"x" * shift + data + b"yy")
        for shift in range(3)
    },  # type: ignore[misc]
    "base64 for URLs": base64.urlsafe_b64encode,
    "base32": base64.b32encode,
    "every byte escaped for a URL": lambda data: "".join(f"%{byte:02X}" for byte in data).encode(),
    "escaped for a URL": lambda data: quote(data).encode(),
    "JSON escapes": lambda data: "".join(f"\\u{byte:04x}" for byte in data).encode(),
    "a list": lambda data: json.dumps(list(data)).encode(),
    "reversed": lambda data: data[::-1],
    "XOR with 0x5A": lambda data: bytes(byte ^ 0x5A for byte in data),
    "reversed, XOR with 0xFF": lambda data: bytes(byte ^ 0xFF for byte in data[::-1]),
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "zstd": zstandard,
    "zstd in base64": lambda data: base64.b64encode(zstandard(data)),
    "gzip in base64": lambda data: base64.b64encode(gzip.compress(data)),
    "hex in gzip": lambda data: gzip.compress(data.hex().encode()),
    "hex in base64": lambda data: base64.b64encode(data.hex().encode()),
}


@pytest.mark.parametrize("form", WRITTEN)
def test_text_is_found_in_every_form(form: str, registry: Registry) -> None:
    """And it is said which text it was, wherever in other bytes it stands."""
    subject = registry.planted[0]

    hits = list(Sweep(registry.planted).data(b"\0\1\2" + WRITTEN[form](b"A " + subject.value) + b"\3\4", "the log"))

    assert {hit.canary for hit in hits} == {subject}
    assert all(hit.where == "the log" for hit in hits)


KEY_FORMS = ("plain", "hex", "HEX", "base64 at 0", "base64 at 1", "base64 at 2", "a list", "reversed", "XOR with 0x5A")


@pytest.mark.parametrize("form", KEY_FORMS)
def test_key_is_found_in_every_form(form: str, registry: Registry) -> None:
    """A key has no tag: it is searched for by itself."""
    hits = list(Sweep(registry.planted).data(b"\0" * 5 + WRITTEN[form](KEY) + b"\3\4", "memory"))

    assert {hit.canary.kind for hit in hits} == {Kind.PRIVATE_KEY}


def test_raw_deflate_is_taken_off_where_a_value_begins_with_it(registry: Registry) -> None:
    """It has no head to recognise it by, so it is tried on each value as a whole."""
    assert list(Sweep(registry.planted).data(deflate(registry.planted[1].value * 3), "a column"))


def test_part_of_a_text_is_found_by_its_tag(registry: Registry) -> None:
    """A log line that was cut off after twelve characters is a leak all the same."""
    hits = list(Sweep(registry.planted).data(b"error: " + registry.planted[0].value[:TAG_LENGTH], "the log"))

    assert hits


@given(st.binary(max_size=2_000))
def test_nothing_is_found_where_nothing_is(data: bytes) -> None:
    """Sixty random bits are nowhere by chance."""
    registry = Registry()
    registry.text(Kind.BODY, "of a chat")
    registry.secret(Kind.PRIVATE_KEY, "of a device", KEY)

    assert list(Sweep(registry.planted).data(data, "anywhere")) == []


@given(st.integers(0, 40), st.integers(0, 40))
def test_key_is_found_at_every_offset(before: int, behind: int) -> None:
    """The search looks at every eighth byte, and misses none of the others."""
    registry = Registry()
    registry.secret(Kind.SESSION_KEY, "of a session", KEY)

    (hit,) = Sweep(registry.planted).data(b"\7" * before + KEY + b"\7" * behind, "memory")

    assert hit.offset == before


@pytest.mark.parametrize("offset", [0, PIECE - 3, PIECE, 2 * PIECE - OVERLAP, 2 * PIECE - 9])
def test_file_is_searched_across_its_pieces(offset: int, registry: Registry, tmp_path: Path) -> None:
    """Wherever it lies, and it is said where."""
    path = tmp_path / "memory"
    path.write_bytes(b"\1" * offset + registry.planted[0].value + b"\1" * PIECE)

    hits = {hit.offset for hit in Sweep(registry.planted).file(path, "memory", depth=0)}

    assert hits == {offset}


def test_name_of_a_file_is_searched(registry: Registry, tmp_path: Path) -> None:
    """An attachment's name in a path is a leak, whatever is in the file."""
    path = tmp_path / f"{registry.planted[0].value.decode()}.pdf"
    path.write_bytes(b"")

    (hit,) = Sweep(registry.planted).file(path, "spool/1")

    assert hit.where == "the name of spool/1"


def test_sweep_for_nothing_is_an_error() -> None:
    """It would pass whatever there is."""
    with pytest.raises(NothingPlanted):
        Sweep([])


def test_a_long_text_is_full_of_its_canary() -> None:
    """Any stretch of forty characters of it holds the tag."""
    registry = Registry()
    text = registry.text(Kind.BODY, "of a chat", 1_000)

    assert len(text) == 1_000
    assert all(registry.tag in text[start : start + 40] for start in range(960))


def test_a_bomb_is_not_unpacked() -> None:
    """Whatever somebody has packed, no more than a few megabytes of it are looked at, once."""
    bomb = zstd.compress(bytes(100 * transforms.MAX_UNWRAPPED))

    assert [(name, len(inner)) for name, inner in transforms.unwrapped(bomb)] == [("zstd", transforms.MAX_UNWRAPPED)]


@given(st.binary(max_size=200))
def test_what_only_looks_packed_is_left_alone(data: bytes) -> None:
    """Four bytes that begin a frame may stand anywhere."""
    assert "zstd" not in {name for name, _ in transforms.unwrapped(b"\x28\xb5\x2f\xfd\xff" + data)}
