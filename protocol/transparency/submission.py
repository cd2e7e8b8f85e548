"""What a log asks of a witness: `POST <prefix>/add-checkpoint` (https://c2sp.org/tlog-witness).

old <size that the witness has seen>
<base64 hash of the consistency proof>, one per line, 63 at most

<checkpoint, signed by the log>
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.encoding import decode_base64, encode_base64
from blindrelay.protocol.transparency.merkle import HASH_LENGTH, MAX_SIZE
from blindrelay.protocol.transparency.note import MAX_NOTE, Note, Signature, parse_signatures

PATH: Final = "/add-checkpoint"
MAX_PROOF: Final = 63
MAX_SUBMISSION: Final = MAX_NOTE + 4096
#: Of the answer 409, whose body is the size that the witness has seen.
SIZE_MEDIA_TYPE: Final = "text/x.tlog.size"
_OLD: Final = re.compile(r"old (0|[1-9]\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint, and the proof that it continues the one of `old_size`."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note

    def encode(self) -> bytes:
        """What `parse` reads."""
        return f"old {self.old_size}\n{encode_hashes(self.proof)}\n".encode() + self.note.encode()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises `Malformed`."""
        if len(data) > MAX_SUBMISSION:
            raise Malformed(f"a submission has {len(data)} bytes, and {MAX_SUBMISSION} are allowed")
        head, blank, note = data.partition(b"\n\n")
        first, *lines = head.decode("ascii", "replace").split("\n")
        match = _OLD.fullmatch(first)
        if not blank or match is None or int(match[1]) >= MAX_SIZE:
            raise Malformed("a submission begins with `old <size>`, and has a blank line before the checkpoint")
        return cls(int(match[1]), decode_hashes(lines), Note.parse(note))


def encode_hashes(hashes: tuple[bytes, ...]) -> str:
    """One line of base64 each."""
    return "".join(f"{encode_base64(found)}\n" for found in hashes)


def decode_hashes(lines: list[str]) -> tuple[bytes, ...]:
    """Raises `Malformed` for more than a proof can have, and for what is no hash."""
    if len(lines) > MAX_PROOF:
        raise Malformed(f"a proof has {len(lines)} hashes, and no tree needs more than {MAX_PROOF}")
    hashes = tuple(decode_base64(line) for line in lines)
    if any(len(found) != HASH_LENGTH for found in hashes):
        raise Malformed(f"a hash of a proof does not have {HASH_LENGTH} bytes")
    return hashes


def encode_cosignatures(signatures: tuple[Signature, ...]) -> bytes:
    """The body of the answer 200."""
    return "".join(map(str, signatures)).encode()


def decode_cosignatures(data: bytes) -> tuple[Signature, ...]:
    """Raises `Malformed`. Whose they are is for the reader to verify."""
    if len(data) > MAX_NOTE:
        raise Malformed(f"cosignatures of {len(data)} bytes, and {MAX_NOTE} are allowed")
    try:
        return parse_signatures(data.decode())
    except UnicodeDecodeError as error:
        raise Malformed("cosignatures are not UTF-8") from error
