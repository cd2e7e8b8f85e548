"""Searches bytes for canaries, in every form and wrapping of `transforms`."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Final

from blindrelay.proofs.evidence import transforms
from blindrelay.proofs.evidence.canaries import TAG_LENGTH, Canary

#: Files are read so much at a time; the overlap finds what lies across two pieces.
PIECE: Final = 1 << 17
OVERLAP: Final = 4_096
#: How many wrappings are taken off, one inside the other.
DEPTH: Final = 2
# How far the number of a text can be from its tag, in the widest form.
_NEAR: Final = 256
# A canary that is everywhere is shown in a few places. Of each piece and form.
_SHOWN: Final = 8
_MASKED: Final = "XOR with a byte"
_MASKED_BACKWARDS: Final = "reversed, XOR with a byte"
_WORD: Final = 8


class NothingPlanted(ValueError):
    """A sweep for no canaries would pass whatever there is."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A canary where it must not be. `how` names the form, after the wrappings that were taken off."""

    canary: Canary
    where: str
    offset: int
    how: str

    def __str__(self) -> str:
        return f"{self.canary} is in {self.where}, byte {self.offset:,}, {self.how}"


@dataclass(frozen=True, slots=True)
class _Needle:
    """What is searched for: `written`, which is `value` in `form`. `canary` None: the tag that all texts have in common."""

    form: str
    written: bytes
    value: bytes
    canary: Canary | None


class Needles:
    """Needles, found together: what a search costs does not depend on how many keys there are.

    Wherever a needle of fifteen bytes or more stands, one of its eight-byte pieces stands at an offset that is divisible by
    eight. So the pieces of all needles are kept in a set, and every eighth byte of the data is looked up in it. The few that
    are shorter are searched for one by one.
    """

    def __init__(self, needles: Iterable[bytes]) -> None:
        self._short: list[bytes] = []
        self._pieces: dict[int, list[bytes]] = {}
        for needle in dict.fromkeys(needles):
            if len(needle) < 2 * _WORD - 1:
                self._short.append(needle)
                continue
            for start in range(_WORD):
                piece = int.from_bytes(needle[start : start + _WORD], "little")
                self._pieces.setdefault(piece, []).append(needle)
        self._known = frozenset(self._pieces)

    def within(self, data: bytes) -> Iterator[bytes]:
        """Those that stand somewhere in `data`."""
        yield from (needle for needle in self._short if needle in data)
        with memoryview(data) as view, view[: len(data) // _WORD * _WORD].cast("Q") as words:
            pieces = self._known.intersection(words)
        yield from (needle for needle in {each for piece in pieces for each in self._pieces[piece]} if needle in data)


class _Index:
    """Needles with what they mean."""

    def __init__(self, needles: Iterable[_Needle]) -> None:
        self._meaning: dict[bytes, list[_Needle]] = {}
        for needle in needles:
            self._meaning.setdefault(needle.written, []).append(needle)
        self._needles = Needles(self._meaning)

    def within(self, data: bytes) -> Iterator[_Needle]:
        for written in self._needles.within(data):
            yield from self._meaning[written]


class Sweep:
    """A search for some canaries. `searched` is how many bytes it has gone through, what was unwrapped not counted.

    Raises `NothingPlanted` when there are none.
    """

    def __init__(self, canaries: Iterable[Canary]) -> None:
        canaries = list(canaries)
        if not canaries:
            raise NothingPlanted("no canary was planted: there is nothing that could be found")
        self._texts = [canary for canary in canaries if canary.kind.is_tagged]
        wanted: dict[bytes, Canary | None] = {canary.value[:TAG_LENGTH]: None for canary in self._texts}
        wanted |= {canary.value: canary for canary in canaries if not canary.kind.is_tagged}
        self._plain = _Index(
            _Needle(form, needle, value, canary)
            for value, canary in wanted.items()
            for form, needle in transforms.forms(value, _names(canary))
        )
        self._masked = _Index(
            _Needle(form, transforms.neighbours(bare), bare, canary)
            for value, canary in wanted.items()
            for form, bare in ((_MASKED, value), (_MASKED_BACKWARDS, value[::-1]))
        )
        self.searched = 0
        self._pieces: set[bytes] = set()

    def data(self, data: bytes, where: str, *, depth: int = DEPTH) -> Iterator[Hit]:
        """Every canary in `data`, in every form. `depth`: how many wrappings to take off."""
        self.searched += len(data)
        yield from self._within(data, where, "", depth)

    def file(self, path: Path, where: str, *, depth: int = DEPTH) -> Iterator[Hit]:
        """Every canary in a file, in its name as well. One that has gone meanwhile holds none.

        What stands in several files, or in one at several moments, is searched the first time.
        """
        yield from self._within(path.name.encode("utf-8", "surrogateescape"), f"the name of {where}", "", depth)
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            position, tail = 0, b""
            while piece := file.read(PIECE):
                self.searched += len(piece)
                if piece.count(0) < len(piece):  # else room in reserve, or memory that nobody has used
                    if self._is_new(tail + piece):
                        for hit in self._within(tail + piece, where, "", depth):
                            yield Hit(hit.canary, where, hit.offset + position - len(tail), hit.how)
                    tail = piece[-OVERLAP:]
                else:
                    tail = b""
                position += len(piece)

    def _is_new(self, data: bytes) -> bool:
        digest = sha256(data).digest()
        if digest in self._pieces:
            return False
        self._pieces.add(digest)
        return True

    def _within(self, data: bytes, where: str, wrapping: str, depth: int) -> Iterator[Hit]:
        for needle in self._plain.within(data):
            yield from self._hits(needle, data, data, where, wrapping)
        masked = transforms.neighbours(data)
        for needle in self._masked.within(masked):
            yield from self._hits(needle, masked, data, where, wrapping)
        if depth:
            for name, inner in transforms.unwrapped(data):
                yield from self._within(inner, where, f"{wrapping}{name}, ", depth - 1)

    def _hits(self, needle: _Needle, haystack: bytes, data: bytes, where: str, wrapping: str) -> Iterator[Hit]:
        for match in islice(re.finditer(re.escape(needle.written), haystack), _SHOWN):
            start = match.start()
            if haystack is not data and data.startswith(needle.value, start):
                continue  # XOR with zero: found as it is
            near = haystack[max(0, start - _NEAR) : match.end() + _NEAR]
            for canary in self._named(needle, near):
                yield Hit(canary, where, start, f"{wrapping}{needle.form}")

    def _named(self, needle: _Needle, near: bytes) -> list[Canary]:
        """Which canary it is. Of a text that is cut off behind its tag, the first one stands for all."""
        if needle.canary is not None:
            return [needle.canary]
        found = [canary for canary in self._texts if any(form in near for form in _written(canary.value, needle.form))]
        return found or self._texts[:1]


def _names(canary: Canary | None) -> Iterable[str]:
    return transforms.KEY_FORMS if canary is not None and canary.kind.is_key else transforms.FORMS


def _written(value: bytes, form: str) -> list[bytes]:
    if form == _MASKED:
        return [transforms.neighbours(value)]
    if form == _MASKED_BACKWARDS:
        return [transforms.neighbours(value[::-1])]
    return transforms.FORMS[form](value)
