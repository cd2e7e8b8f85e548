"""Whose signatures make a checkpoint believable (https://c2sp.org/tlog-policy): pinned where clients and auditors can see it.

log <verifier key>
witness <name> <verifier key> [<url>]
group <name> <any | all | number> <names of witnesses or groups>
quorum <name | none>
"""

from dataclasses import dataclass
from typing import Final, Self, TypeVar

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint, CheckpointRejected, cosigned_at
from blindrelay.protocol.transparency.keys import Algorithm, VerifierKey
from blindrelay.protocol.transparency.note import Note

NO_QUORUM: Final = "none"


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who cosigns, and where it is asked to, if that is known."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """At least `threshold` of the `members`, which are names of witnesses and of groups before this one."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A checkpoint that was signed by its log and by enough witnesses."""

    checkpoint: Checkpoint
    note: Note
    #: By the witness's name: when it cosigned, seconds since the epoch.
    cosigned: tuple[tuple[str, int], ...]

    @property
    def time(self) -> int | None:
        """When a witness last said that this was the newest one it knew; None where none is asked."""
        return max((time for _, time in self.cosigned), default=None)


@dataclass(frozen=True, slots=True)
class Trust:
    """One log's key, the witnesses that are known, and how many of them have to agree."""

    log: VerifierKey
    witnesses: tuple[Witness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str = NO_QUORUM

    @classmethod
    def threshold(cls, log: VerifierKey, witnesses: tuple[Witness, ...], count: int) -> Self:
        """`count` of the witnesses, whichever. Raises `Malformed` if there are not as many."""
        if not 0 <= count <= len(witnesses):
            raise Malformed(f"{count} witnesses are to agree, and {len(witnesses)} are known")
        if not count:
            return cls(log, witnesses)
        group = Group("quorum-group", count, tuple(witness.name for witness in witnesses))
        return cls(log, witnesses, (group,), group.name)

    def open(self, data: bytes) -> Witnessed:
        """A checkpoint that can be believed, whoever has brought it.

        Raises:
            Malformed: it is no signed checkpoint at all.
            CheckpointRejected: another log's, not signed by the log, or by too few witnesses.
        """
        note = Note.parse(data)
        checkpoint = Checkpoint.parse(note.text)
        if checkpoint.origin != self.log.name:
            raise CheckpointRejected(f"it is of {checkpoint.origin!r}, and {self.log.name!r} was expected")
        if not note.is_signed_by(self.log):
            raise CheckpointRejected(f"the log's key {self.log.key_id.hex()} has not signed it")
        times = ((witness.name, cosigned_at(note, witness.key)) for witness in self.witnesses)
        cosigned = tuple((name, time) for name, time in times if time is not None)
        if not self._agree({name for name, _ in cosigned}):
            who = ", ".join(name for name, _ in cosigned) or "nobody"
            raise CheckpointRejected(f"too few witnesses have cosigned it ({who}; the quorum is {self.quorum})")
        return Witnessed(checkpoint, note, cosigned)

    def _agree(self, names: set[str]) -> bool:
        for group in self.groups:
            if len(names.intersection(group.members)) >= group.threshold:
                names = names | {group.name}
        return self.quorum == NO_QUORUM or self.quorum in names

    @classmethod
    def parse(cls, text: str) -> Self:
        """A policy file. Raises `Malformed`, with the line."""
        return _Parser().policy(cls, text)

    def __str__(self) -> str:
        lines = [f"log {self.log}"]
        lines += [f"witness {w.name} {w.key}" + (f" {w.url}" if w.url else "") for w in self.witnesses]
        lines += [f"group {g.name} {g.threshold} {' '.join(g.members)}" for g in self.groups]
        return "\n".join([*lines, f"quorum {self.quorum}", ""])


_Trust = TypeVar("_Trust", bound=Trust)


class _Parser:
    def __init__(self) -> None:
        self.log: VerifierKey | None = None
        self.witnesses: list[Witness] = []
        self.groups: list[Group] = []
        self.quorum: str | None = None

    def policy(self, kind: type[_Trust], text: str) -> _Trust:
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            try:
                self._line(words)
            except ValueError as error:
                raise Malformed(f"line {number} of the log policy: {error}") from error
        if self.log is None or self.quorum is None:
            raise Malformed("a log policy has one line `log <key>` and one line `quorum <name>`")
        return kind(self.log, tuple(self.witnesses), tuple(self.groups), self.quorum)

    def _line(self, words: list[str]) -> None:
        match words:
            case ["log", key] | ["log", key, _] if self.log is None:
                self.log = _key(key, Algorithm.ED25519)
            case ["witness", name, key, *url] if len(url) < 2:
                self._new(name)
                self.witnesses.append(Witness(name, _key(key, Algorithm.COSIGNATURE), url[0] if url else None))
            case ["group", name, count, *members] if members:
                self._new(name)
                for member in members:
                    self._known(member)
                self.groups.append(Group(name, _count(count, len(members)), tuple(members)))
            case ["quorum", name] if self.quorum is None:
                self.quorum = name if name == NO_QUORUM else self._known(name)
            case _:
                raise Malformed(f"{' '.join(words)[:80]!r} is not understood, or is said twice")

    def _names(self) -> set[str]:
        return {witness.name for witness in self.witnesses} | {group.name for group in self.groups}

    def _new(self, name: str) -> None:
        if name in self._names() or name == NO_QUORUM:
            raise Malformed(f"there is a {name!r} already")

    def _known(self, name: str) -> str:
        if name not in self._names():
            raise Malformed(f"there is no witness or group {name!r} before this line")
        return name


def _key(text: str, algorithm: Algorithm) -> VerifierKey:
    key = VerifierKey.parse(text)
    if key.algorithm is not algorithm:
        raise Malformed(
            f"the key of {key.name} is of the kind {key.algorithm:#04x}, and {algorithm:#04x} is needed here"
        )
    return key


def _count(text: str, members: int) -> int:
    count = {"any": 1, "all": members}.get(text) or (int(text) if text.isascii() and text.isdigit() else 0)
    if not 0 < count <= members:
        raise Malformed(f"{text!r} of {members} members cannot be met: expected any, all, or a number from 1")
    return count
