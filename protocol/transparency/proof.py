"""An inclusion proof as a file, which anybody can check without asking anybody (https://c2sp.org/tlog-proof).

c2sp.org/tlog-proof@v1
index <number>
<base64 hash>, one per line, the lowest first

<checkpoint>
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.encoding import decode_base64
from blindrelay.protocol.transparency.merkle import MAX_SIZE, leaf_hash, verify_inclusion
from blindrelay.protocol.transparency.policy import Trust, Witnessed
from blindrelay.protocol.transparency.submission import decode_hashes, encode_hashes

_HEADER: Final = "c2sp.org/tlog-proof@v1"
_INDEX: Final = re.compile(r"index (0|[1-9]\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class LogProof:
    """Where an entry is, the way from it to the root, and the checkpoint with the root, as bytes: nothing is verified yet."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        """What `parse` reads."""
        return f"{_HEADER}\nindex {self.index}\n{encode_hashes(self.hashes)}\n".encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises `Malformed`."""
        head, blank, checkpoint = data.partition(b"\n\n")
        header, *lines = head.decode("ascii", "replace").split("\n")
        # An extra line is the application's business, and ours says nothing there.
        if lines and lines[0].startswith("extra "):
            decode_base64(lines.pop(0).removeprefix("extra "))
        match = _INDEX.fullmatch(lines[0]) if lines else None
        if header != _HEADER or not blank or match is None or int(match[1]) >= MAX_SIZE:
            raise Malformed(f"a log proof begins with the lines `{_HEADER}` and `index <number>`")
        return cls(int(match[1]), decode_hashes(lines[1:]), checkpoint)

    def verify(self, entry: bytes, trust: Trust) -> Witnessed:
        """Check that the log has `entry` at `index`, and return the checkpoint it is in.

        Raises:
            Malformed: the checkpoint is none.
            CheckpointRejected: the checkpoint is not to be believed.
            ProofRejected: the entry is not there.
        """
        witnessed = trust.open(self.checkpoint)
        head = witnessed.checkpoint
        verify_inclusion(leaf_hash(entry), self.index, head.size, self.hashes, head.root)
        return witnessed
