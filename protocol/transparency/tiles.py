"""Tiles: the tree in pieces that never change, and proofs out of them (https://c2sp.org/tlog-tiles).

The tile `index` of `level` has up to 256 consecutive hashes, each above 256**level leaves. One with fewer is partial: there
is one at most of each level, at the right edge, and a longer one of the same index begins with it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.merkle import EMPTY_ROOT, HASH_LENGTH, MAX_SIZE, root_of
from blindrelay.protocol.transparency.ranges import Range, Subtree, consistency, hash_of, inclusion, subtrees

TILE_WIDTH: Final = 256
#: 2**TILE_HEIGHT hashes are in a tile.
TILE_HEIGHT: Final = 8
MAX_LEVEL: Final = 63
CHECKPOINT_PATH: Final = "checkpoint"

_LEVEL: Final = re.compile(r"0|[1-9]\d?", re.ASCII)
_NUMBER: Final = re.compile(r"((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One tile. `width` is how many hashes are wanted of it."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Where it is, below the log's prefix."""
        return f"tile/{self.level}/{number_path(self.index, self.width)}"

    @classmethod
    def parse(cls, path: str) -> Self:
        """The tile that `path` names. Raises `Malformed`."""
        kind, _, rest = path.partition("/")
        level, _, number = rest.partition("/")
        if kind != "tile" or not _LEVEL.fullmatch(level) or int(level) > MAX_LEVEL:
            raise Malformed(f"{path[:80]!r} is not the path of a tile: expected tile/<level>/<index>[.p/<width>]")
        index, width = parse_number(number)
        return cls(int(level), index, width)

    def exists(self, size: int) -> bool:
        """Whether a tree of `size` leaves has it: that many hashes, at least, where no checkpoint is between."""
        return (self.index * TILE_WIDTH + self.width) << (TILE_HEIGHT * self.level) <= size


def number_path(index: int, width: int) -> str:
    """The number of a tile or bundle: groups of three digits, all but the last behind an `x`; the width, if it is partial."""
    groups = [f"{index % 1_000:03}"]
    while index := index // 1_000:
        groups.insert(0, f"x{index % 1_000:03}")
    return "/".join(groups) + ("" if width == TILE_WIDTH else f".p/{width}")


def parse_number(text: str) -> tuple[int, int]:
    """Index and width. Raises `Malformed`; there is one way to write each."""
    match = _NUMBER.fullmatch(text[:80])
    if match:
        index = int(match[1].replace("x", "").replace("/", ""))
        width = TILE_WIDTH if match[2] is None else int(match[2])
        if index < MAX_SIZE and width <= TILE_WIDTH and number_path(index, width) == text:
            return index, width
    raise Malformed(f"{text[:80]!r} is not the number of a tile: expected one like x001/x234/067 or 067.p/12")


def hashes_in(data: bytes) -> list[bytes]:
    """The hashes of a tile."""
    return [data[at : at + HASH_LENGTH] for at in range(0, len(data), HASH_LENGTH)]


def checked(tile: Tile, data: bytes) -> bytes:
    """The first `tile.width` hashes of `data`, which may be those of a wider tile. Raises `Malformed` when there are fewer."""
    wanted = tile.width * HASH_LENGTH
    if len(data) < wanted or len(data) % HASH_LENGTH or len(data) > TILE_WIDTH * HASH_LENGTH:
        raise Malformed(f"{tile.path} has {len(data)} bytes, and {wanted} were expected")
    return data[:wanted]


@dataclass(frozen=True, slots=True)
class _Place:
    tile: Tile
    first: int
    count: int


def _place(subtree: Subtree, size: int) -> _Place:
    """Where the hash of a subtree is in a tree of `size` leaves: above `count` hashes of a tile, from the `first` on."""
    level, up = divmod(subtree.height, TILE_HEIGHT)
    at = subtree.index << up
    index, first = divmod(at, TILE_WIDTH)
    width = min((size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH, TILE_WIDTH)
    return _Place(Tile(level, index, width), first, 1 << up)


def tiles_of(wanted: Iterable[Range], size: int) -> list[Tile]:
    """The tiles that the hashes of `wanted` are in, each once."""
    return sorted({_place(subtree, size).tile for part in wanted for subtree in subtrees(part)})


class Tree:
    """A tree of `size` leaves, as far as its tiles are there.

    Nothing is verified here: what tiles from elsewhere say is worth as much as the proof that is made of them.
    """

    def __init__(self, size: int, read: Callable[[Tile], bytes]) -> None:
        self.size = size
        self._read = read
        self._hashes: dict[Tile, list[bytes]] = {}

    @classmethod
    def of(cls, size: int, tiles: Mapping[Tile, bytes]) -> Self:
        """Of tiles that have been fetched; another one raises `KeyError`."""
        return cls(size, tiles.__getitem__)

    def hash(self, wanted: Range) -> bytes:
        """The hash above a range that `ranges` gave out."""
        return hash_of(wanted, self._subtree)

    def root(self, size: int | None = None) -> bytes:
        """The root; of the first `size` leaves, if that is given."""
        size = self.size if size is None else size
        return self.hash(Range(0, size)) if size else EMPTY_ROOT

    def inclusion(self, index: int) -> tuple[bytes, ...]:
        """The proof that the leaf is in this tree."""
        return self.hashes(inclusion(index, self.size))

    def consistency(self, old_size: int) -> tuple[bytes, ...]:
        """The proof that this tree begins with the one of `old_size` leaves."""
        return self.hashes(consistency(old_size, self.size))

    def hashes(self, wanted: Sequence[Range]) -> tuple[bytes, ...]:
        """The hashes above each."""
        return tuple(self.hash(part) for part in wanted)

    def _subtree(self, subtree: Subtree) -> bytes:
        place = _place(subtree, self.size)
        found = self._hashes.get(place.tile)
        if found is None:
            found = self._hashes[place.tile] = hashes_in(checked(place.tile, self._read(place.tile)))
        return root_of(found[place.first : place.first + place.count])
