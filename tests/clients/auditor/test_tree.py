"""Tiles, entries and proofs (`clients/auditor/tree.py`): whatever has been changed after the fact is found, and where."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blindrelay.clients.auditor.source import MAX_FILE
from blindrelay.clients.auditor.tree import AHEAD, VerifiedTree
from blindrelay.clients.errors import LogRejected
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.entries import Bundle, pack
from blindrelay.protocol.transparency.merkle import leaf_hash, verify_consistency, verify_inclusion
from blindrelay.protocol.transparency.tiles import Tile
from support.merkle import Log

ORIGIN = "relay.example/directory"
LARGE = Log([b"entry %d" % number for number in range(70_000)])
SIZES = [0, 1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000]


@dataclass
class Files:
    """The files of a log of `size`, as the specification has them; some of them another than they should be."""

    size: int
    spoilt: dict[str, bytes | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    grown: int = 0  # partial tiles are gone that the log of this size does not have any more

    async def get(self, path: str, limit: int = MAX_FILE) -> bytes | None:
        self.asked.append(path)
        if path in self.spoilt:
            return self.spoilt[path]
        piece = Bundle.parse(path) if "entries" in path else Tile.parse(path)
        size = self.grown or self.size
        if not piece.exists(size) or (piece.width < 256 and type(piece).parse(path.partition(".p")[0]).exists(size)):
            return None
        return honest(piece)

    @property
    def tree(self) -> VerifiedTree:
        return VerifiedTree(self, Checkpoint(ORIGIN, self.size, LARGE.root(self.size)))


def honest(piece: Tile | Bundle) -> bytes:
    """What the file should be."""
    if isinstance(piece, Bundle):
        return pack(LARGE.entries[piece.start : piece.start + piece.width])
    return LARGE.tile(piece.level, piece.index, piece.width)


async def read(tree: VerifiedTree, start: int = 0, end: int | None = None) -> list[tuple[int, bytes]]:
    return [found async for found in tree.entries(start, end)]


@pytest.mark.parametrize("size", SIZES)
async def test_an_honest_log_is_read_whole(size: int) -> None:
    """Every entry, in its order, whatever the size is."""
    assert await read(Files(size).tree) == list(enumerate(LARGE.entries[:size]))


@settings(deadline=None, max_examples=60)
@given(st.data())
async def test_proofs_are_those_that_the_rfc_defines(data: st.DataObject) -> None:
    """Inclusion and consistency proofs out of verified tiles verify, for any size, index and older size."""
    size = data.draw(st.one_of(st.sampled_from(SIZES[1:]), st.integers(1, 70_000)))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    tree = Files(size).tree

    verify_inclusion(leaf_hash(LARGE.entries[index]), index, size, await tree.inclusion(index), LARGE.root(size))
    verify_consistency(old, LARGE.root(old), size, LARGE.root(size), await tree.consistency(old))
    assert await tree.root(old) == LARGE.root(old)
    assert await tree.entry(index) == LARGE.entries[index]


async def test_a_part_is_read_without_the_rest() -> None:
    """Some entries cost a bundle, the tile below it, and those that lead to the root."""
    files = Files(70_000)
    assert await read(files.tree, 30_000, 30_010) == list(enumerate(LARGE.entries[30_000:30_010], 30_000))
    assert [path for path in files.asked if "entries" in path] == ["tile/entries/117"]
    assert len(files.asked) <= 6


async def test_the_newest_come_first_when_they_are_asked_for_so() -> None:
    """Whoever looks for the last word on something does not read the whole log."""
    files = Files(70_000)
    entries = files.tree.newest_first()
    assert await anext(entries) == (69_999, LARGE.entries[69_999])
    await entries.aclose()
    assert len([path for path in files.asked if "entries" in path]) <= AHEAD


@pytest.mark.parametrize("size", [300, 512, 65_537])
async def test_a_log_that_has_grown_meanwhile_is_read_as_it_was(size: int) -> None:
    """Where a partial tile or bundle is gone, the full one is fetched, and its beginning counts."""
    files = Files(size, grown=70_000)
    assert len(await read(files.tree)) == size


Spoil = Callable[[list[bytes]], list[bytes]]


@pytest.mark.parametrize(
    ("spoil", "index"),
    [
        (lambda entries: [*entries[:7], b"another", *entries[8:]], 263),
        (lambda entries: [*entries[:7], *entries[8:]], 263),
        (lambda entries: entries[1:], 256),
        (lambda entries: entries[:-1], 299),
        (lambda entries: [*entries[:7], b"one more", *entries[7:]], 263),
        (lambda entries: [*entries[:7], entries[8], entries[7], *entries[9:]], 263),
        (lambda entries: [], 256),
    ],
    ids=["edited", "removed", "first-removed", "last-removed", "inserted", "swapped", "emptied"],
)
async def test_a_spoilt_entry_is_named(spoil: Spoil, index: int) -> None:
    """The first entry that is not what was signed, by its index."""
    entries = spoil(list(LARGE.entries[256:300]))
    files = Files(300, {"tile/entries/001.p/44": pack(entries)})

    with pytest.raises(LogRejected, match=rf"the entry {index} is") as caught:
        await read(files.tree)
    assert caught.value.check == "entry"


async def test_a_bundle_that_ends_in_the_middle_is_found() -> None:
    """A file cut short names the entry that is not whole."""
    files = Files(300, {"tile/entries/001.p/44": honest(Bundle(1, 44))[:-3]})
    with pytest.raises(LogRejected, match="the entry 299 is not there"):
        await read(files.tree)


@pytest.mark.parametrize(
    ("size", "path", "named"),
    [
        (70_000, "tile/0/003", "entries 768 to 1023"),
        (70_000, "tile/1/000", "entries 0 to 65535"),
        (65_537, "tile/0/256.p/1", "another root"),
        (256, "tile/1/000.p/1", "another root"),
    ],
)
async def test_a_spoilt_tile_is_named_with_the_entries_below_it(size: int, path: str, named: str) -> None:
    """An operator who changes an entry and the hashes above it, too, does not get as far as the root."""
    tile = Tile.parse(path)
    data = bytearray(honest(tile))
    data[-1] ^= 1
    tree = Files(size, {path: bytes(data)}).tree

    with pytest.raises(LogRejected, match=named) as caught:
        await read(tree)
    assert caught.value.check == "tile"


async def test_two_tiles_that_are_exchanged_are_found() -> None:
    """A tile is good in its own place alone."""
    files = Files(70_000, {"tile/0/003": honest(Tile(0, 4)), "tile/entries/003": honest(Bundle(4))})
    with pytest.raises(LogRejected, match="tile/0/003") as caught:
        await read(files.tree, 768, 1_024)
    assert caught.value.check == "tile"


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"", lambda data: data[32:]]
)
async def test_a_tile_of_another_length_is_found(change: Callable[[bytes], bytes]) -> None:
    """A tile has its hashes, all of them, and nothing else."""
    files = Files(70_000, {"tile/0/003": change(honest(Tile(0, 3)))})
    with pytest.raises(LogRejected, match="tile/0/003") as caught:
        await read(files.tree, 768, 770)
    assert caught.value.check == "tile"


@pytest.mark.parametrize("path", ["tile/0/003", "tile/entries/003", "tile/1/000", "tile/2/000.p/1"])
async def test_what_is_not_served_is_named(path: str) -> None:
    """A log that withholds what is below its own checkpoint is not a log that has less."""
    with pytest.raises(LogRejected, match=path) as caught:
        await read(Files(70_000, {path: None}).tree, 768, 770)
    assert caught.value.check == "withheld"


async def test_what_has_been_verified_is_not_fetched_again() -> None:
    """Every tile of a log that is read whole comes once, but for those at the right edge when several want them at once."""
    files = Files(70_000)
    await read(files.tree)
    assert len([path for path in files.asked if path.startswith("tile/0/")]) == 70_000 // 256 + 1


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long log costs no more memory than a short one."""
    monkeypatch.setattr("blindrelay.clients.auditor.tree.REMEMBERED", 5)
    tree = Files(70_000).tree
    assert len(await read(tree)) == 70_000
    assert len(tree._tiles) == 5


@pytest.mark.parametrize("index", [-1, 300])
async def test_there_is_no_entry_outside(index: int) -> None:
    """An index beyond the checkpoint is the caller's mistake."""
    with pytest.raises(ValueError, match="300"):
        await Files(300).tree.entry(index)
