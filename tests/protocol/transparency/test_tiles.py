"""Tiles: their paths as https://c2sp.org/tlog-tiles has them, and proofs out of them as out of the tree itself."""

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.merkle import EMPTY_ROOT
from blindrelay.protocol.transparency.ranges import Range, consistency, inclusion
from blindrelay.protocol.transparency.tiles import TILE_WIDTH, Tile, Tree, checked, number_path, tiles_of
from support.merkle import LOG

SIZES: Final = st.integers(1, 3_000) | st.sampled_from(
    [1, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 70_000]
)


def read(tile: Tile) -> bytes:
    """What a log would serve."""
    return LOG.tile(tile.level, tile.index, tile.width)


def only_what_exists(size: int) -> Callable[[Tile], bytes]:
    """A log of this size has no other tiles, whatever it will have one day."""

    def read_if_there(tile: Tile) -> bytes:
        assert tile.exists(size)
        return read(tile)

    return read_if_there


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),  # the example of the specification
        (Tile(0, 0), "tile/0/000"),
        (Tile(1, 999), "tile/1/999"),
        (Tile(1, 1_000), "tile/1/x001/000"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(2, 0, 1), "tile/2/000.p/1"),
        (Tile(63, 0, 255), "tile/63/000.p/255"),
        (Tile(0, 2**63 - 1), "tile/0/x009/x223/x372/x036/x854/x775/807"),
    ],
)
def test_a_tile_has_one_path(tile: Tile, path: str) -> None:
    """And is what the path names."""
    assert tile.path == path
    assert Tile.parse(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/1",
        "tile/0/0001",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/x001/x234",
        "tile/0/x000/067",
        "tile/0/x001/234/067",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/entries/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/300",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000/",
        "tile/0/000\n",
        "/tile/0/000",
        "tile/0/\u0660\u0660\u0660",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/" + "x001/" * 40 + "000",
        "tile/0/..",
        "",
    ],
)
def test_no_other_path_names_a_tile(path: str) -> None:
    """One tile, one path: a cache before a log has nothing twice, and no path leads out of its folder."""
    with pytest.raises(Malformed):
        Tile.parse(path)


@given(st.integers(0, 63), st.integers(0, 2**63 - 1), st.integers(1, TILE_WIDTH))
def test_paths_come_back(level: int, index: int, width: int) -> None:
    """Whatever the tile."""
    assert Tile.parse(Tile(level, index, width).path) == Tile(level, index, width)


@given(st.text(max_size=40) | st.text("tile/0x1.p23", max_size=40).map("tile/0/".__add__))
def test_whatever_is_no_path_is_malformed(path: str) -> None:
    """The parser raises nothing else, and what it takes has no other form."""
    try:
        tile = Tile.parse(path)
    except Malformed:
        return
    assert tile.path == path


def test_the_tree_of_the_specification() -> None:
    """Of 70,000 entries: 273 full tiles and one of 112 below, one full and one of 17 above them, one of 1 on top."""
    size = 70_000
    full = {level: sum(Tile(level, index).exists(size) for index in range(300)) for level in range(4)}
    assert full == {0: 273, 1: 1, 2: 0, 3: 0}
    for widest in (Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)):
        assert widest.exists(size)
        assert not Tile(widest.level, widest.index, widest.width + 1).exists(size)
    assert tiles_of([Range(0, size)], size) == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]


@settings(deadline=None)  # the reference hashes every entry, once
@given(SIZES, st.data())
def test_proofs_out_of_tiles_are_those_of_the_recursion(size: int, data: st.DataObject) -> None:
    """Roots, inclusion and consistency, from nothing but tiles that the log has."""
    tree = Tree(size, only_what_exists(size))
    old = data.draw(st.integers(1, size) | st.integers(0, size // 256).map(lambda n: max(1, n * 256)))
    assert tree.root() == LOG.root(size)
    assert tree.root(old) == LOG.root(old)
    assert list(tree.inclusion(old - 1)) == LOG.path(old - 1, size)
    assert list(tree.consistency(old)) == (LOG.proof(old, size) if old < size else [])


@settings(deadline=None)
@given(SIZES, st.data())
def test_the_tiles_that_are_said_to_be_needed_are_enough(size: int, data: st.DataObject) -> None:
    """A client fetches them all at once, and then no other; none is fetched for nothing."""
    index = data.draw(st.integers(0, size - 1))
    wanted = [*inclusion(index, size), *consistency(index, size)]
    needed = tiles_of(wanted, size)
    assert len(set(needed)) == len(needed)
    used: set[Tile] = set()

    def fetched(tile: Tile) -> bytes:
        used.add(tile)
        return {tile: read(tile) for tile in needed}[tile]

    assert list(Tree(size, fetched).hashes(wanted)) == [LOG.mth(part.start, part.end) for part in wanted]
    assert used == set(needed)
    if needed:
        with pytest.raises(KeyError):
            Tree.of(size, {tile: read(tile) for tile in needed[1:]}).hashes(wanted)


def test_a_tree_without_entries_has_a_root() -> None:
    """Which needs no tile."""
    assert Tree.of(0, {}).root() == Tree.of(5, {}).root(0) == EMPTY_ROOT
    assert Tree.of(5, {}).consistency(5) == Tree.of(5, {}).consistency(0) == ()


@given(st.integers(1, TILE_WIDTH), st.integers(0, TILE_WIDTH + 1), st.integers(0, 40))
@example(TILE_WIDTH, TILE_WIDTH, 0)
@example(TILE_WIDTH, TILE_WIDTH + 1, 0)
def test_a_wider_tile_does_for_a_narrower_one(wanted: int, served: int, extra: int) -> None:
    """A log may have given up the partial tile for the full one, which begins with it; anything else is malformed."""
    data = b"\1" * (served * 32) + b"\1" * extra
    whole = extra % 32 == 0 and wanted * 32 <= len(data) <= TILE_WIDTH * 32
    if whole:
        assert checked(Tile(0, 0, wanted), data) == data[: wanted * 32]
    else:
        with pytest.raises(Malformed):
            checked(Tile(0, 0, wanted), data)


def test_a_full_tile_has_no_suffix() -> None:
    """256 is not written."""
    assert number_path(5, 256) == "005"
