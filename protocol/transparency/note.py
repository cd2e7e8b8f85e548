"""Text with signatures below it (https://c2sp.org/signed-note): the form of everything that a log signs.

example.com/log
42
<base64>

— example.com/log <base64 of key id and signature>
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.encoding import decode_base64, encode_base64
from blindrelay.protocol.transparency.keys import SigningKey, VerifierKey

#: A note with a hundred signatures is a joke, one of a megabyte an attack.
MAX_NOTE: Final = 64 * 1024
MAX_SIGNATURES: Final = 100
_LINE: Final = re.compile(r"— ([^\s+\x00-\x1f]+) (\S+)")
_FORBIDDEN: Final = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Signature:
    """One line: whose it is said to be, and four bytes of the key's digest before the signature itself."""

    name: str
    key_id: bytes
    data: bytes

    def __str__(self) -> str:
        return f"— {self.name} {encode_base64(self.key_id + self.data)}\n"

    def is_of(self, key: VerifierKey) -> bool:
        """Whether it says that it is this key's. It proves nothing."""
        return self.name == key.name and self.key_id == key.key_id

    @classmethod
    def parse(cls, line: str) -> Self:
        """A line without its end. Raises `Malformed`."""
        match = _LINE.fullmatch(line)
        data = decode_base64(match[2]) if match else b""
        if match is None or len(data) <= 4:
            raise Malformed(f"{line[:80]!r} is no signature of a note: expected `— <name> <base64>`")
        return cls(match[1], data[:4], data[4:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends with a line feed, and its signatures, none of which has been verified.

    Raises:
        Malformed: the text is empty, unfinished, or has control characters.
    """

    text: str
    signatures: tuple[Signature, ...] = ()

    def __post_init__(self) -> None:
        if not self.text.endswith("\n") or _FORBIDDEN.search(self.text):
            raise Malformed("the text of a note is lines without control characters, and a line feed after each")

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises `Malformed`."""
        if len(data) > MAX_NOTE:
            raise Malformed(f"a note has {len(data)} bytes, and {MAX_NOTE} are allowed")
        try:
            # Text itself may have blank lines: the signatures begin after the last one.
            text, blank, lines = data.decode().rpartition("\n\n")
        except UnicodeDecodeError as error:
            raise Malformed("a note is not UTF-8") from error
        if not blank:
            raise Malformed("a note has its text, a blank line, and lines of signatures")
        return cls(text + "\n", parse_signatures(lines))

    def encode(self) -> bytes:
        """What `parse` reads."""
        return (self.text + "\n" + "".join(map(str, self.signatures))).encode()

    def sign(self, key: SigningKey) -> Self:
        """The same note with one more signature."""
        return self.with_signature(Signature(key.name, key.verifier.key_id, key.sign(self.text.encode())))

    def with_signature(self, *signatures: Signature) -> Self:
        """The same note with others' signatures."""
        return type(self)(self.text, self.signatures + signatures)

    def is_signed_by(self, key: VerifierKey) -> bool:
        """Whether `key` has signed, and nothing said to be its signature is not. Others' are ignored, as they must be."""
        text = self.text.encode()
        verified = [key.verifies(found.data, text) for found in self.signatures if found.is_of(key)]
        return bool(verified) and all(verified)


def parse_signatures(text: str) -> tuple[Signature, ...]:
    """One line each, each with its end. Raises `Malformed`, for none as well."""
    if not text.endswith("\n"):
        raise Malformed("signatures are lines, each with its end")
    lines = text.removesuffix("\n").split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise Malformed(f"there are {len(lines)} signatures, and {MAX_SIGNATURES} are allowed")
    return tuple(Signature.parse(line) for line in lines)
