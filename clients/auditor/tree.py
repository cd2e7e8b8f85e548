"""Tiles, entries and proofs of a log, each verified against one checkpoint before it is given out (https://c2sp.org/tlog-tiles).

The checkpoint has the root; the partial tiles at the right edge make up the root; every full tile is a hash in a tile above
it; every entry is a hash in a tile of level 0. So what has been changed or taken out after the fact does not fit, and the
error says where. What is remembered meanwhile is a few megabytes, however large the log is.

| check      | what it finds                                                                      |
|------------|------------------------------------------------------------------------------------|
| `entry`    | an entry that is not the one in the tree, or is not there                          |
| `tile`     | a tile that does not lead to the checkpoint's root                                 |
| `withheld` | a file that the log must have, and does not serve                                  |
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from blindrelay.clients.auditor.source import MAX_FILE, Source
from blindrelay.clients.errors import LogRejected
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.entries import Bundle, entries_in
from blindrelay.protocol.transparency.merkle import EMPTY_ROOT, HASH_LENGTH, leaf_hash, root_of
from blindrelay.protocol.transparency.ranges import Range, consistency, inclusion
from blindrelay.protocol.transparency.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, Tree, checked, hashes_in, tiles_of

_TILE_BYTES: Final = TILE_WIDTH * HASH_LENGTH
#: Verified tiles that are kept: 8 MiB.
REMEMBERED: Final = 1_024
#: Bundles that are fetched before they are wanted. A bundle may have 16 MiB, and ours have some 80 kB.
AHEAD: Final = 4


class VerifiedTree:
    """The tree below `head`, a checkpoint that has been verified already."""

    def __init__(self, source: Source, head: Checkpoint) -> None:
        self.head = head
        self._source = source
        self._tiles: OrderedDict[Tile, bytes] = OrderedDict()
        self._recent: tuple[int, list[bytes]] = (-1, [])
        self._edge: dict[Tile, bytes] = {}
        self._edge_read = asyncio.Lock()

    # Proofs.

    async def inclusion(self, index: int) -> tuple[bytes, ...]:
        """The proof that the entry `index` is below the checkpoint. Raises `ValueError` if there is no such entry."""
        return await self._hashes(inclusion(index, self.head.size))

    async def consistency(self, old_size: int) -> tuple[bytes, ...]:
        """The proof that this tree continues the one of `old_size` entries. Raises `ValueError` if that is larger."""
        return await self._hashes(consistency(old_size, self.head.size))

    async def root(self, size: int) -> bytes:
        """The root of the first `size` entries."""
        return (await self._hashes([Range(0, size)]))[0] if size else EMPTY_ROOT

    async def _hashes(self, wanted: Sequence[Range]) -> tuple[bytes, ...]:
        tiles = {tile: await self.tile(tile) for tile in tiles_of(wanted, self.head.size)}
        return Tree.of(self.head.size, tiles).hashes(wanted)

    # Tiles.

    async def tile(self, tile: Tile) -> bytes:
        """A tile of this tree. Raises `LogRejected`, and what the source raises."""
        path = [tile]  # upwards, until something that has been verified
        while path[-1].width == TILE_WIDTH and path[-1] not in self._tiles:
            path.append(self._above(path[-1]))
        top = path.pop()
        data = self._recall(top) if top in self._tiles else (await self._read_edge())[top]
        for below in reversed(path):
            at = below.index % TILE_WIDTH
            expected = data[at * HASH_LENGTH : (at + 1) * HASH_LENGTH]
            data = await self._get_tile(below)
            if root_of(hashes_in(data)) != expected:
                raise self._rejected("tile", f"{below.path} does not lead to the root{self._about(below)}")
            self._keep(below, data)
        return data

    def _above(self, tile: Tile) -> Tile:
        level, index = tile.level + 1, tile.index // TILE_WIDTH
        width = min((self.head.size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH, TILE_WIDTH)
        return Tile(level, index, width)

    async def _read_edge(self) -> dict[Tile, bytes]:
        """The partial tiles, of which the root is made."""
        async with self._edge_read:
            size = self.head.size
            if size and not self._edge:
                edge = {tile: await self._get_tile(tile) for tile in tiles_of([Range(0, size)], size)}
                if Tree.of(size, edge).root() != self.head.root:
                    raise self._rejected(
                        "tile", f"its tiles lead to another root than its checkpoint of {size} entries has"
                    )
                self._edge = edge
        return self._edge

    async def _get_tile(self, tile: Tile) -> bytes:
        data = await self._get(tile, _TILE_BYTES)
        try:
            return checked(tile, data)
        except Malformed as error:
            raise self._rejected("tile", f"{error}{self._about(tile)}") from None

    def _about(self, tile: Tile) -> str:
        unit = 1 << (TILE_HEIGHT * tile.level)
        start = tile.index * TILE_WIDTH * unit
        end = start + tile.width * unit
        return f": something among the entries {start} to {end - 1} has been changed, added or taken out since it was signed"

    def _recall(self, tile: Tile) -> bytes:
        self._tiles.move_to_end(tile)
        return self._tiles[tile]

    def _keep(self, tile: Tile, data: bytes) -> None:
        self._tiles[tile] = data
        if len(self._tiles) > REMEMBERED:
            self._tiles.popitem(last=False)

    # Entries.

    async def entry(self, index: int) -> bytes:
        """One entry. Raises `ValueError` if there is no such one.

        The bundle that it was in is remembered: whoever asks for entries one by one asks for some that are close together.
        """
        if not 0 <= index < self.head.size:
            raise ValueError(f"there is no entry {index} in a log of {self.head.size}")
        number, at = divmod(index, TILE_WIDTH)
        if self._recent[0] != number:
            self._recent = number, await self._bundle(number)
        return self._recent[1][at]

    async def entries(self, start: int = 0, end: int | None = None) -> AsyncGenerator[tuple[int, bytes], None]:
        """The entries from `start` up to and without `end`, with their indices."""
        end = self.head.size if end is None else min(end, self.head.size)
        if start >= end:
            return
        numbers = range(start // TILE_WIDTH, (end - 1) // TILE_WIDTH + 1)
        async with aclosing(self._bundles(numbers)) as bundles:
            async for number, entries in bundles:
                for index, entry in enumerate(entries, number * TILE_WIDTH):
                    if start <= index < end:
                        yield index, entry

    async def newest_first(self) -> AsyncGenerator[tuple[int, bytes], None]:
        """All entries, from the last to the first."""
        numbers = range((self.head.size - 1) // TILE_WIDTH, -1, -1)
        async with aclosing(self._bundles(numbers)) as bundles:
            async for number, entries in bundles:
                for at in reversed(range(len(entries))):
                    yield number * TILE_WIDTH + at, entries[at]

    async def _bundles(self, numbers: Iterable[int]) -> AsyncGenerator[tuple[int, list[bytes]], None]:
        """Bundles in the order of `numbers`; the next ones are fetched meanwhile."""
        ahead: deque[tuple[int, asyncio.Task[list[bytes]]]] = deque()
        waiting = iter(numbers)
        try:
            while True:
                while len(ahead) < AHEAD and (number := next(waiting, None)) is not None:
                    ahead.append((number, asyncio.create_task(self._bundle(number))))
                if not ahead:
                    return
                number, task = ahead[0]
                yield number, await task
                ahead.popleft()
        finally:
            for _, task in ahead:
                task.cancel()
            await asyncio.gather(*(task for _, task in ahead), return_exceptions=True)

    async def _bundle(self, number: int) -> list[bytes]:
        bundle = Bundle.with_entry(number * TILE_WIDTH, self.head.size)
        data = await self._get(bundle, MAX_FILE)
        hashes = hashes_in(await self.tile(Tile(0, bundle.index, bundle.width)))
        entries = entries_in(bundle, data)
        return [self._checked_entry(bundle.start + at, expected, entries) for at, expected in enumerate(hashes)]

    def _checked_entry(self, index: int, expected: bytes, entries: Iterable[bytes]) -> bytes:
        try:
            entry = next(iter(entries), None)
        except Malformed:
            entry = None
        if entry is None:
            raise self._rejected("entry", f"the entry {index} is not there: it was taken out, or one before it")
        if leaf_hash(entry) != expected:
            raise self._rejected(
                "entry", f"the entry {index} is not the one that was signed: it has been changed, or taken out"
            )
        return entry

    # Files.

    async def _get(self, piece: Tile | Bundle, limit: int) -> bytes:
        data = await self._source.get(piece.path, limit)
        if data is None and piece.width < TILE_WIDTH:
            # The log has grown, and the full one has taken its place: it begins with the same.
            data = await self._source.get(replace(piece, width=TILE_WIDTH).path, limit)
        if data is None:
            raise self._rejected(
                "withheld", f"{piece.path}, below its own checkpoint of {self.head.size}, is not served"
            )
        return data

    def _rejected(self, check: str, reason: str) -> LogRejected:
        return LogRejected(self.head.origin, check, reason)
