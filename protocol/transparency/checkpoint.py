"""Checkpoints: how large a log is and what its root is, signed by the log (https://c2sp.org/tlog-checkpoint) and cosigned, with
the time, by witnesses who have seen no other history of it (https://c2sp.org/tlog-cosignature)."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final, Self

from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.transparency.keys import SIGNATURE_LENGTH, SigningKey, VerifierKey
from blindrelay.protocol.transparency.merkle import EMPTY_ROOT, HASH_LENGTH, MAX_SIZE
from blindrelay.protocol.transparency.note import Note, Signature

_DECIMAL: Final = re.compile(r"0|[1-9]\d{0,18}", re.ASCII)
_TIME_LENGTH: Final = 8


class CheckpointRejected(VerificationFailed):
    """A checkpoint is not the log's, has too few witnesses, or contradicts another; `check` is `checkpoint`."""

    def __init__(self, reason: str) -> None:
        super().__init__("checkpoint", reason)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: `size` entries, `root` (32 bytes) above them.

    Raises:
        Malformed: a value is out of its range.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not self.origin or "\n" in self.origin:
            raise Malformed("the origin of a log is one line, and not an empty one")
        if not 0 <= self.size < MAX_SIZE or len(self.root) != HASH_LENGTH:
            raise Malformed("a checkpoint has a size below 2**63 and a root of 32 bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise Malformed("the root of an empty log is SHA-256 of nothing")

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The text of a note, extension lines ignored. Raises `Malformed`."""
        lines = text.split("\n")
        if len(lines) < 4 or not _DECIMAL.fullmatch(lines[1]):
            raise Malformed("a checkpoint has three lines at least: origin, size, and root")
        try:
            root = base64.b64decode(lines[2], validate=True)
        except binascii.Error as error:
            raise Malformed("the root of a checkpoint is not base64") from error
        return cls(lines[0], int(lines[1]), root)

    def sign(self, key: SigningKey) -> Note:
        """The checkpoint as a note with the log's signature."""
        return Note(self.text).sign(key)


def cosign(note: Note, key: SigningKey, time: int) -> Signature:
    """A witness's signature: at `time` (seconds since the epoch) it knew of no other history of this log."""
    data = time.to_bytes(_TIME_LENGTH, "big") + key.sign(_message(note, time))
    return Signature(key.name, key.verifier.key_id, data)


def cosigned_at(note: Note, key: VerifierKey) -> int | None:
    """When the witness last cosigned this note, in seconds since the epoch; None if it has not, or not truly."""
    times = [
        time
        for found in note.signatures
        if found.is_of(key) and len(found.data) == _TIME_LENGTH + SIGNATURE_LENGTH
        if key.verifies(
            found.data[_TIME_LENGTH:], _message(note, time := int.from_bytes(found.data[:_TIME_LENGTH], "big"))
        )
    ]
    return max(times, default=None)


def _message(note: Note, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{note.text}".encode()
