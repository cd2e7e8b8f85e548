"""A SQLite file page by page (https://www.sqlite.org/fileformat2.html): what is in pages that hold nothing any more.

The database's own word on what was deleted is not taken: pages are followed from the roots of tables and of the free list, and
whatever looks encrypted and belongs to no row is something that was not erased.
"""

import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_FREE_LIST: Final = slice(32, 36)
_INTERIOR_TABLE, _LEAF_TABLE = 5, 13
#: Ciphertext has nearly as many different bytes as chance has; text, DER and rows of numbers have half of them.
_SHARE: Final = 0.93
_SHORTEST: Final = 512
_LOG_HEAD, _FRAME_HEAD = 32, 24
_ZEROS: Final = re.compile(rb"\0{8,}")


def looks_encrypted(data: bytes) -> bool:
    """Whether bytes could be a piece of ciphertext, zeros at its end aside. Of less than 512 bytes nobody can tell: False."""
    data = data.rstrip(b"\0")
    return len(data) >= _SHORTEST and len(set(data)) >= _SHARE * 256 * (1 - (255 / 256) ** len(data))


def stretches(data: bytes) -> list[bytes]:
    """What stands between zeros."""
    return [part for part in _ZEROS.split(data) if part]


class Pages:
    """A database without a log beside it, open to be read. A context manager. Pages are numbered from 1, as SQLite does."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.size = page_size(self._bytes[16:18])
        self.count = len(self._bytes) // self.size
        self._usable = self.size - self._bytes[20]

    def __enter__(self) -> "Pages":
        return self

    def __exit__(self, *_: object) -> None:
        self._bytes.close()

    def __getitem__(self, number: int) -> bytes:
        return self._bytes[(number - 1) * self.size : number * self.size]

    def holds(self, number: int, data: bytes) -> bool:
        """Whether a page is there and is just this."""
        return 0 < number <= self.count and self[number] == data

    def free(self) -> Iterator[int]:
        """Pages of nobody's that hold nothing. Those are left out in which their numbers are written down."""
        trunk = int.from_bytes(self._bytes[_FREE_LIST])
        while trunk:
            page = self[trunk]
            for at in range(8, 8 + 4 * int.from_bytes(page[4:8]), 4):
                yield int.from_bytes(page[at : at + 4])
            trunk = int.from_bytes(page[:4])

    def spilled(self, root: int) -> Iterator[int]:
        """Pages with the rest of a table's rows, of those that are too long for a page."""
        for page in self.leaves(root):
            for cell in _cells(page):
                number = self._spill(page, cell)
                while number:
                    yield number
                    number = int.from_bytes(self[number][:4])

    def leaves(self, root: int) -> Iterator[bytes]:
        """Pages with the rows of a table. Its root is not page 1: that is the schema's."""
        page = self[root]
        if page[0] == _LEAF_TABLE:
            yield page
        elif page[0] == _INTERIOR_TABLE:
            for cell in _cells(page):
                yield from self.leaves(int.from_bytes(page[cell : cell + 4]))
            yield from self.leaves(int.from_bytes(page[8:12]))

    def _spill(self, page: bytes, cell: int) -> int:
        length, position = _varint(page, cell)
        _, position = _varint(page, position)
        whole = self._usable - 35
        if length <= whole:
            return 0
        least = (self._usable - 12) * 32 // 255 - 23
        kept = least + (length - least) % (self._usable - 4)
        position += kept if kept <= whole else least
        return int.from_bytes(page[position : position + 4])


def page_size(two: bytes) -> int:
    """As a database's head says it."""
    return 65_536 if (size := int.from_bytes(two)) == 1 else size


def unused(leaf: bytes) -> bytes:
    """What is in the middle of a page with rows, where none is."""
    begin = 8 + 2 * int.from_bytes(leaf[3:5])
    return leaf[begin : int.from_bytes(leaf[5:7]) or 65_536]


def images(path: Path, size: int) -> Iterator[tuple[int, bytes]]:
    """Every page of a database file as it stands there, with its number, whatever its log says."""
    with path.open("rb") as file:
        number = 1
        while page := file.read(size):
            yield number, page
            number += 1


def frames(path: Path, size: int) -> Iterator[tuple[int, bytes]]:
    """Every page in a write-ahead log, if there is one, with its number: those that count and those that do not any more."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(_LOG_HEAD)
        while len(frame := file.read(_FRAME_HEAD + size)) == _FRAME_HEAD + size:
            yield int.from_bytes(frame[:4]), frame[_FRAME_HEAD:]


def may_hold_rest(number: int, page: bytes) -> bool:
    """Whether it is no page of a tree: those begin with a type, and others with the number of another page."""
    return number > 1 and page[:1] == b"\0"


def _cells(page: bytes) -> list[int]:
    begin = 12 if page[0] == _INTERIOR_TABLE else 8
    count = int.from_bytes(page[3:5])
    return [int.from_bytes(page[at : at + 2]) for at in range(begin, begin + 2 * count, 2)]


def _varint(page: bytes, position: int) -> tuple[int, int]:
    value = 0
    for _ in range(8):
        byte = page[position]
        position += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, position
    return value << 8 | page[position], position + 1
