"""Checkpoints: how large a log is and what its root is, signed by the log (https://c2sp.org/tlog-checkpoint) and cosigned, with
the time, by witnesses who have seen no other history of it (https://c2sp.org/tlog-cosignature)."""

import re
from dataclasses import dataclass
from typing import Final, Self

from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.transparency.encoding import decode_base64, encode_base64
from blindrelay.protocol.transparency.keys import Algorithm, SigningKey, VerifierKey
from blindrelay.protocol.transparency.merkle import EMPTY_ROOT, HASH_LENGTH, MAX_SIZE
from blindrelay.protocol.transparency.note import Note, Signature

_DECIMAL: Final = re.compile(r"0|[1-9]\d{0,18}", re.ASCII)
_TIME_LENGTH: Final = 8
#: Times of cosignatures are below this, in seconds since the epoch.
MAX_TIME: Final = 2**63


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
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The text of a note, extension lines ignored. Raises `Malformed`."""
        lines = text.removesuffix("\n").split("\n")
        if len(lines) < 3 or not all(lines) or not text.endswith("\n") or not _DECIMAL.fullmatch(lines[1]):
            raise Malformed("a checkpoint has three lines at least (origin, size, and root), and none is empty")
        return cls(lines[0], int(lines[1]), decode_base64(lines[2]))

    def sign(self, key: SigningKey) -> Note:
        """The checkpoint as a note with the log's signature."""
        return Note(self.text).sign(key)


def cosign(note: Note, key: SigningKey, time: int) -> Signature:
    """A witness's signature: at `time` (seconds since the epoch) it knew of no other history of this log.

    Raises:
        Malformed: the key is no witness's, or the time before 1970 or from 2**63 on.
    """
    if key.algorithm is not Algorithm.COSIGNATURE or not 0 <= time < MAX_TIME:
        raise Malformed(f"the key {key.verifier} cannot cosign at the time {time}")
    data = time.to_bytes(_TIME_LENGTH, "big") + key.sign(_message(note, time))
    return Signature(key.name, key.verifier.key_id, data)


def cosigned_at(note: Note, key: VerifierKey) -> int | None:
    """When the witness last cosigned this note, in seconds since the epoch.

    None if it has not, or if one of the cosignatures said to be its own is not.
    """
    times = [_verified_time(note, key, found.data) for found in note.signatures if found.is_of(key)]
    verified = [time for time in times if time is not None]
    return max(verified) if verified and len(verified) == len(times) else None


def _verified_time(note: Note, key: VerifierKey, data: bytes) -> int | None:
    time, signature = int.from_bytes(data[:_TIME_LENGTH], "big"), data[_TIME_LENGTH:]
    return time if time < MAX_TIME and key.verifies(signature, _message(note, time)) else None


def _message(note: Note, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{note.text}".encode()
