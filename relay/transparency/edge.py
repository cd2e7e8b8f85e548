"""The right edge of a growing tree: what is in the tile of each level that is not full yet."""

from collections.abc import Callable, Iterator
from typing import Self

from blindrelay.protocol.transparency.merkle import root_of
from blindrelay.protocol.transparency.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, hashes_in


class Edge:
    """Takes leaf hashes and gives out tiles. `size` leaves are below it."""

    def __init__(self, size: int, levels: list[list[bytes]]) -> None:
        self.size = size
        self._levels = levels

    @classmethod
    def of(cls, size: int, read: Callable[[Tile], bytes]) -> Self:
        """The edge of a tree whose tiles are there."""
        levels: list[list[bytes]] = []
        while count := size >> (TILE_HEIGHT * len(levels)):
            index, width = divmod(count, TILE_WIDTH)
            levels.append(hashes_in(read(Tile(len(levels), index, width))) if width else [])
        return cls(size, levels)

    def push(self, leaf: bytes) -> Iterator[tuple[Tile, bytes]]:
        """Add the hash of a leaf; yields each tile that becomes full, the lowest first."""
        yield from self._push(0, leaf)
        self.size += 1

    def _push(self, level: int, found: bytes) -> Iterator[tuple[Tile, bytes]]:
        if level == len(self._levels):
            self._levels.append([])
        hashes = self._levels[level]
        hashes.append(found)
        if len(hashes) < TILE_WIDTH:
            return
        # The leaf that fills it is not counted yet.
        yield Tile(level, self.size >> (TILE_HEIGHT * (level + 1))), b"".join(hashes)
        above = root_of(hashes)
        hashes.clear()
        yield from self._push(level + 1, above)

    def partial(self) -> Iterator[tuple[Tile, bytes]]:
        """The tiles that are not full."""
        for level, hashes in enumerate(self._levels):
            if hashes:
                index = self.size >> (TILE_HEIGHT * (level + 1))
                yield Tile(level, index, len(hashes)), b"".join(hashes)
