"""Whose signatures make a checkpoint believable (https://c2sp.org/tlog-policy): pinned where clients and auditors can see it.

log <verifier key>
witness <name> <verifier key> [<url>]
group <name> <any | all | number> <names of witnesses or groups>
quorum <name | none>
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Self, TypeVar

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint, CheckpointRejected, cosigned_at
from blindrelay.protocol.transparency.keys import Algorithm, VerifierKey
from blindrelay.protocol.transparency.note import Note

NO_QUORUM: Final = "none"
#: Spaces and tabs alone part words: what else Unicode calls a space may be in a name.
_SPACE: Final = re.compile(r"[ \t]+")
# All subsets of so many witnesses are tried within milliseconds.
_MAX_TRIED: Final = 10
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who cosigns, and where it is asked to, if that is known."""

    name: str
    key: VerifierKey
    url: str | None = None

    def __str__(self) -> str:
        return f"witness {self.name} {self.key}" + (f" {self.url}" if self.url else "")


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
    """One log's key, the witnesses that are known, and how many of them have to agree.

    Raises:
        Malformed: a witness could count twice, a group or the quorum names somebody unknown, or it cannot be met.
    """

    log: VerifierKey
    witnesses: tuple[Witness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str = NO_QUORUM

    def __post_init__(self) -> None:
        _require_distinct([witness.key.public.hex() for witness in self.witnesses], "the public key")
        _require_distinct([member for group in self.groups for member in group.members], "the member")
        _require_distinct([NO_QUORUM, *(w.name for w in self.witnesses), *(g.name for g in self.groups)], "the name")
        known = {witness.name for witness in self.witnesses}
        for group in self.groups:
            if unknown := set(group.members) - known:
                raise Malformed(f"there is no witness or group {min(unknown)!r} before the group {group.name!r}")
            if not 0 < group.threshold <= len(group.members):
                raise Malformed(f"{group.threshold} of the {len(group.members)} members of {group.name!r} cannot agree")
            known.add(group.name)
        if self.quorum not in known | {NO_QUORUM}:
            raise Malformed(f"there is no witness or group {self.quorum!r} that could be the quorum")

    @classmethod
    def threshold(cls, log: VerifierKey, witnesses: tuple[Witness, ...], count: int) -> Self:
        """`count` of the witnesses, whichever. Raises `Malformed` if there are not as many."""
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
        if not self.is_met_by({name for name, _ in cosigned}):
            who = ", ".join(name for name, _ in cosigned) or "nobody"
            raise CheckpointRejected(f"too few witnesses have cosigned it ({who}; the quorum is {self.quorum})")
        return Witnessed(checkpoint, note, cosigned)

    def is_met_by(self, names: set[str]) -> bool:
        """Whether these witnesses, by name, are a quorum."""
        for group in self.groups:
            if len(names.intersection(group.members)) >= group.threshold:
                names = names | {group.name}
        return self.quorum == NO_QUORUM or self.quorum in names

    def is_as_strict_as(self, other: "Trust") -> bool:
        """Whether all that meet this quorum would meet the other's. Witnesses are told apart by their keys, not by their names.

        False where there are too many witnesses to try.
        """
        if len(self.witnesses) > _MAX_TRIED:
            return False
        names = {witness.key: witness.name for witness in other.witnesses}
        return all(
            other.is_met_by({names[witness.key] for witness in some if witness.key in names})
            for count in range(len(self.witnesses) + 1)
            for some in combinations(self.witnesses, count)
            if self.is_met_by({witness.name for witness in some})
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """A policy file. Raises `Malformed`, with the line."""
        return _Parser().policy(cls, text)

    def __str__(self) -> str:
        lines = [f"log {self.log}"]
        lines += map(str, self.witnesses)
        lines += [f"group {g.name} {g.threshold} {' '.join(g.members)}" for g in self.groups]
        return "\n".join([*lines, f"quorum {self.quorum}", ""])


_Trust = TypeVar("_Trust", bound=Trust)


def parse_witness(line: str) -> Witness:
    """One line `witness <name> <verifier key> [<url>]`. Raises `Malformed`."""
    match _words(line):
        case ["witness", name, key, *url] if len(url) < 2:
            return Witness(name, _key(key, Algorithm.COSIGNATURE), *url)
    raise Malformed(f"{line[:80]!r} is no witness: expected `witness <name> <verifier key> [<url>]`")


class _Parser:
    def __init__(self) -> None:
        self.log: VerifierKey | None = None
        self.witnesses: list[Witness] = []
        self.groups: list[Group] = []
        self.quorum: str | None = None

    def policy(self, kind: type[_Trust], text: str) -> _Trust:
        for number, line in enumerate(text.split("\n"), 1):
            try:
                self._line(line, _words(line))
            except ValueError as error:
                raise Malformed(f"line {number} of the log policy: {error}") from error
        if self.log is None or self.quorum is None:
            raise Malformed("a log policy has one line `log <key>` and one line `quorum <name>`")
        return kind(self.log, tuple(self.witnesses), tuple(self.groups), self.quorum)

    def _line(self, line: str, words: list[str]) -> None:
        match words:
            case []:
                pass
            case [comment, *_] if comment.startswith("#"):
                pass
            case ["log", key] | ["log", key, _] if self.log is None:
                self.log = _key(key, Algorithm.ED25519)
            case ["witness", *_]:
                self.witnesses.append(parse_witness(line))
            case ["group", name, count, *members] if members:
                self._require_known(members)
                self.groups.append(Group(name, _count(count, len(members)), tuple(members)))
            case ["quorum", name] if self.quorum is None:
                self._require_known([] if name == NO_QUORUM else [name])
                self.quorum = name
            case _:
                raise Malformed(f"{line[:80]!r} is not understood, or is said twice")

    def _require_known(self, names: Sequence[str]) -> None:
        """The order of the lines counts here, and is gone when `Trust` looks at them."""
        known = {witness.name for witness in self.witnesses} | {group.name for group in self.groups}
        for name in names:
            if name not in known:
                raise Malformed(f"there is no witness or group {name!r} before this line")


def _words(line: str) -> list[str]:
    if _FORBIDDEN.search(line):
        raise Malformed("it has a control character")
    return [word for word in _SPACE.split(line) if word]


def _require_distinct(values: Sequence[str], what: str) -> None:
    """Twice the same, and one witness would count as two."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise Malformed(f"{what} {value[:80]!r} is there twice")
        seen.add(value)


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
        raise Malformed(f"{text[:80]!r} of {members} members cannot be met: expected any, all, or a number from 1")
    return count
