"""A log's operator, honest or not, in front of a witness; and what the witness is held to."""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from blindrelay.protocol.transparency.checkpoint import Checkpoint, cosigned_at
from blindrelay.protocol.transparency.keys import SigningKey, VerifierKey
from blindrelay.protocol.transparency.note import Note, Signature
from blindrelay.protocol.transparency.submission import Submission
from blindrelay.witness.cosigning import Cosigner
from blindrelay.witness.folder import Folder

from .merkle import Log
from .party import HandClock

ORIGIN: Final = "log.example/directory"
HONEST: Final = Log([b"entry %d" % number for number in range(64)])


def forked(at: int) -> Log:
    """A log that begins like `HONEST`, and is another one from the entry `at` on."""
    return Log([b"entry %d" % number if number < at else b"forged %d" % number for number in range(64)])


@dataclass
class Operator:
    """Whoever has the log's key, and signs what they like."""

    key: SigningKey = field(default_factory=lambda: SigningKey.generate(ORIGIN))

    def note(self, size: int, log: Log = HONEST, *keys: SigningKey) -> Note:
        """A checkpoint, signed; with the keys that are given, if any are."""
        first, *more = keys or (self.key,)
        note = Checkpoint(ORIGIN, size, log.root(size)).sign(first)
        for key in more:
            note = note.sign(key)
        return note

    def submission(self, old: int, new: int, log: Log = HONEST, *keys: SigningKey) -> bytes:
        """What the log asks of a witness."""
        proof = tuple(log.proof(old, new)) if 0 < old < new else ()
        return Submission(old, proof, self.note(new, log, *keys)).encode()


def cosigner_in(path: Path, clock: HandClock, *logs: VerifierKey) -> "CosignerIn":
    """A witness without a network."""
    return CosignerIn(path, clock, logs)


@dataclass
class CosignerIn:
    """A context manager of a `Cosigner`, and the folder it has."""

    path: Path
    clock: HandClock
    logs: tuple[VerifierKey, ...]

    def __enter__(self) -> Cosigner:
        self._context = Folder.open(self.path, None, self.clock)
        self.folder = self._context.__enter__()
        for key in self.logs:
            self.folder.add_log(key, self.clock)
        return Cosigner(self.folder, self.clock)

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(None, None, None)


@dataclass
class Released:
    """Everything that a witness has ever said to anybody."""

    key: VerifierKey
    notes: list[Note] = field(default_factory=list)

    def add(self, note: Note, signatures: tuple[Signature, ...]) -> None:
        """A cosignature that left."""
        self.notes.append(note.with_signature(*signatures))

    @property
    def heads(self) -> list[Checkpoint]:
        """By size."""
        return sorted((Checkpoint.parse(note.text) for note in self.notes), key=lambda head: head.size)

    def check(self, *logs: Log) -> None:
        """Fail unless all of it is one history, which is that of one of `logs` for each two checkpoints; and truly signed."""
        assert all(cosigned_at(note, self.key) is not None for note in self.notes)
        for one, other in pairwise(self.heads):
            assert any(log.root(one.size) == one.root and log.root(other.size) == other.root for log in logs), (
                f"the witness has cosigned two histories: {one} and {other}"
            )
