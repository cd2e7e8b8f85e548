"""The forms in which bytes can be written without a key, and the wrappings that can be taken off again.

A form is searched for where it stands; a wrapping (gzip, zlib, deflate, zstd, a run of base64 or hex) is taken off, and what is
inside is searched anew. XOR with a byte needs neither: the XOR of neighbours is the same whatever the byte was.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from importlib import import_module
from typing import Any, Final
from urllib.parse import quote_from_bytes

#: What is taken off a wrapping at most: a canary is near the beginning of what anybody would hide, and a bomb is not unpacked.
MAX_UNWRAPPED: Final = 4 * 2**20
#: Less than this is no canary, and no piece of one that is known by its tag.
_SHORTEST: Final = 12
# Of a run of base64 or hex, characters: shorter ones hold no canary, and a page of text has many of them.
_SHORTEST_RUN: Final = 24
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{%d,}" % _SHORTEST_RUN)
_HEX: Final = re.compile(rb"[0-9a-fA-F]{%d,}" % _SHORTEST_RUN)
_ONE_ALPHABET: Final = bytes.maketrans(b"-_", b"+/")
# Stands between what does not belong together.
_APART: Final = bytes(8)
_GZIP: Final = b"\x1f\x8b\x08"
_ZLIB: Final = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZLIB_WINDOW, _GZIP_WINDOW, _RAW_WINDOW = 15, 31, -15


def _aligned(data: bytes, encode: Callable[[bytes], bytes], group: int, characters: int) -> list[bytes]:
    """At each place within a group, without what depends on the bytes before and behind: groups that are not whole."""
    found = []
    for shift in range(group):
        whole = (shift + len(data)) // group
        found.append(encode(b"\0" * shift + data)[(characters if shift else 0) : whole * characters])
    return found


def _base64(data: bytes) -> list[bytes]:
    return [*_aligned(data, base64.b64encode, 3, 4), *_aligned(data, base64.urlsafe_b64encode, 3, 4)]


def _url(data: bytes) -> list[bytes]:
    every = "".join(f"%{byte:02x}" for byte in data)
    return [quote_from_bytes(data, safe="").encode(), every.encode(), every.upper().encode()]


def _decimal(data: bytes) -> list[bytes]:
    """As programs print lists of bytes."""
    return [separator.join(str(byte).encode() for byte in data) for separator in (b", ", b",")]


def _as_text(data: bytes, encoding: str) -> list[bytes]:
    try:
        return [data.decode().encode(encoding)]
    except UnicodeDecodeError:
        return []


#: Each form by its name: what some bytes look like in it. There may be several for one form.
FORMS: Final[dict[str, Callable[[bytes], list[bytes]]]] = {
    "as it is": lambda data: [data],
    "UTF-16": lambda data: [*_as_text(data, "utf-16-le"), *_as_text(data, "utf-16-be")],
    "hex": lambda data: [data.hex().encode(), data.hex().upper().encode()],
    "base64": _base64,
    "base32": lambda data: _aligned(data, base64.b32encode, 5, 8),
    "URL": _url,
    "JSON escapes": lambda data: ["".join(f"\\u{byte:04x}" for byte in data).encode()],
    "a list of numbers": _decimal,
    "reversed": lambda data: [data[::-1]],
}


#: Those in which programs write keys.
KEY_FORMS: Final = ("as it is", "hex", "base64", "a list of numbers", "reversed")


def forms(data: bytes, names: Iterable[str] = tuple(FORMS)) -> list[tuple[str, bytes]]:
    """What `data` looks like in each of these forms, with the form's name."""
    found = {needle: name for name in reversed(tuple(names)) for needle in FORMS[name](data)}
    return [(name, needle) for needle, name in found.items()]


def neighbours(data: bytes) -> bytes:
    """The XOR of each byte with the next one: one byte shorter, and the same for `data` XOR any constant byte."""
    if len(data) < 2:
        return b""
    number = int.from_bytes(data, "little")
    return (number ^ (number >> 8)).to_bytes(len(data), "little")[:-1]


def unwrapped(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What can be taken off in `data`, wherever it begins, with the name of the wrapping."""
    yield from _inflated(data)
    runs = [run.translate(_ONE_ALPHABET) for run in _BASE64.findall(data)]
    if runs:
        for shift in range(4):  # a run may have begun before what was encoded
            decoded = [_from_base64(run[shift:]) for run in runs]
            yield "base64", _APART.join(decoded)
            for run in decoded:
                yield from (("base64, deflate", inner) for _, inner in _inflate("", run, _RAW_WINDOW))
    if runs := _HEX.findall(data):
        yield "hex", _APART.join(binascii.a2b_hex(run[: len(run) // 2 * 2]) for run in runs)


def _from_base64(run: bytes) -> bytes:
    # To the last byte, though the run has lost its padding: a frame of Zstandard that lacks one is not unpacked.
    whole = run[:-1] if len(run) % 4 == 1 else run
    return binascii.a2b_base64(whole + b"==")


def _inflated(data: bytes) -> Iterator[tuple[str, bytes]]:
    start = data.find(_GZIP)
    while start >= 0:
        yield from _inflate("gzip", data[start:], _GZIP_WINDOW)
        start = data.find(_GZIP, start + 1)
    for match in _ZLIB.finditer(data):
        yield from _inflate("zlib", data[match.start() :], _ZLIB_WINDOW)
    yield from _inflate("deflate", data, _RAW_WINDOW)
    start = data.find(_ZSTD)
    while start >= 0 and (unpack := zstd()) is not None:
        yield from unpack(data[start:])
        start = data.find(_ZSTD, start + 1)


def _inflate(name: str, data: bytes, window: int) -> Iterator[tuple[str, bytes]]:
    if window == _RAW_WINDOW and not _may_be_deflated(data):
        return
    try:
        found = zlib.decompressobj(window).decompress(data, MAX_UNWRAPPED)
    except zlib.error:
        return
    if len(found) >= _SHORTEST:
        yield name, found


def _may_be_deflated(data: bytes) -> bool:
    """Whether the first block is of a kind that there is (RFC 1951, 3.2.3): of bytes that are anything, every second is not."""
    kind = data[0] >> 1 & 3 if data else 3
    if kind == 0:  # stored: its length, and that once more with every bit turned round
        return len(data) > 5 and all(one ^ other == 0xFF for one, other in zip(data[1:3], data[3:5], strict=True))
    return kind != 3


@cache
def zstd() -> Callable[[bytes], Iterator[tuple[str, bytes]]] | None:
    """A decoder of Zstandard (RFC 8878): Python's own from 3.14 on, or its backport; None where there is neither."""
    for module in ("compression.zstd", "backports.zstd"):
        try:
            return partial(_unpack_zstd, import_module(module))
        except ImportError:
            continue
    return None


def _unpack_zstd(library: Any, data: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        found = library.ZstdDecompressor().decompress(data, MAX_UNWRAPPED)
    except library.ZstdError:
        return
    if found:
        yield "zstd", found
