"""The end of a log: entries come in, and tiles and bundles come out."""

from collections.abc import Callable, Iterator, Sequence
from typing import Self

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.entries import Bundle, pack
from blindrelay.protocol.transparency.merkle import leaf_hash
from blindrelay.protocol.transparency.tiles import TILE_WIDTH, Tile, hashes_in
from blindrelay.relay.transparency.edge import Edge

Piece = tuple[Tile | Bundle, bytes]


class Growth:
    """Where a log goes on. After an error in between it is of no use any more: see `of`."""

    def __init__(self, edge: Edge, bundle: list[bytes]) -> None:
        self._edge = edge
        self._bundle = bundle  # the entries of the last, partial one

    @staticmethod
    def looks_at(size: int) -> int:
        """From which entry on `of` needs those of a log of `size`."""
        return max(0, size - 1) // TILE_WIDTH * TILE_WIDTH

    @classmethod
    def of(cls, size: int, entries: Sequence[bytes], read: Callable[[Tile], bytes]) -> Self:
        """Where a log of `size` goes on whose tiles are there; `entries` are those from `looks_at` on.

        Raises:
            Malformed: the tiles are not those of these entries.
            OSError: a tile cannot be read.
        """
        start = cls.looks_at(size)
        last = list(entries[: size - start])
        if last and hashes_in(read(Tile(0, start // TILE_WIDTH, len(last)))) != [leaf_hash(entry) for entry in last]:
            raise Malformed(f"the entries from {start} on are not those that its tiles are made of")
        return cls(Edge.of(size, read), last if len(last) < TILE_WIDTH else [])

    @property
    def size(self) -> int:
        """How many entries have come in."""
        return self._edge.size

    def take(self, entries: Sequence[bytes]) -> Iterator[Piece]:
        """Take entries in; yields every tile and bundle that becomes full, and those that are not at the end."""
        for entry in entries:
            self._bundle.append(entry)
            if len(self._bundle) == TILE_WIDTH:
                yield Bundle(self.size // TILE_WIDTH), pack(self._bundle)
                self._bundle.clear()
            yield from self._edge.push(leaf_hash(entry))
        yield from self._edge.partial()
        if self._bundle:
            yield Bundle(self.size // TILE_WIDTH, len(self._bundle)), pack(self._bundle)
