"""The right edge: tiles that are made leaf by leaf are those of RFC 6962's recursion, however the leaves come in."""

from typing import Final

from hypothesis import example, given, settings
from hypothesis import strategies as st

from blindrelay.protocol.transparency.merkle import leaf_hash
from blindrelay.protocol.transparency.tiles import TILE_WIDTH, Tile, Tree
from blindrelay.relay.transparency.edge import Edge
from support.merkle import LOG

Tiles = dict[Tile, bytes]

SIZES: Final = st.integers(0, 3_000) | st.sampled_from([255, 256, 257, 511, 512, 1_024])
#: Where batches end. A log publishes at the end of each.
CUTS: Final = st.lists(st.integers(0, 3_000) | st.integers(0, 12).map(lambda n: n * TILE_WIDTH), max_size=6)
LEAVES: Final = [leaf_hash(entry) for entry in LOG.entries]


def grow(edge: Edge, to: int, tiles: Tiles) -> None:
    """Take leaves up to `to` in, and keep what comes out; a tile that comes twice has to be the same."""
    for leaf in LEAVES[edge.size : to]:
        for tile, data in edge.push(leaf):
            assert tiles.setdefault(tile, data) == data
    for tile, data in edge.partial():
        assert tiles.setdefault(tile, data) == data
    assert edge.size == to


def expected(size: int) -> Tiles:
    """The tiles of a tree by https://c2sp.org/tlog-tiles: of each level the full ones, and the partial one at its end."""
    found: Tiles = {}
    level = 0
    while count := size >> (8 * level):
        full, rest = divmod(count, TILE_WIDTH)
        wanted = [Tile(level, index) for index in range(full)] + ([Tile(level, full, rest)] if rest else [])
        found.update({tile: LOG.tile(tile.level, tile.index, tile.width) for tile in wanted})
        level += 1
    return found


@settings(deadline=None, max_examples=40)
@given(SIZES, CUTS)
@example(65_537, [255, 256, 65_280, 65_536])
def test_tiles_are_those_of_the_recursion_however_the_leaves_are_split(size: int, cuts: list[int]) -> None:
    """A tree in one go, and in batches: after each the tiles are there that a tree of that size has, and no other."""
    edge, tiles = Edge(0, []), Tiles()
    wanted = Tiles()
    for cut in sorted({min(cut, size) for cut in cuts} | {size}):
        grow(edge, cut, tiles)
        wanted |= expected(cut)
    assert tiles == wanted


@settings(deadline=None, max_examples=40)
@given(SIZES, SIZES)
@example(256, 65_537)
@example(65_536, 65_537)
def test_an_edge_that_is_read_back_goes_on_as_if_it_had_never_stopped(one: int, other: int) -> None:
    """Restored from the tiles that are there at any size, it gives out the same ones afterwards."""
    at, size = sorted((one, other))
    tiles = expected(at)
    read: list[Tile] = []

    def fetch(tile: Tile) -> bytes:
        read.append(tile)
        return tiles[tile]

    edge = Edge.of(at, fetch)
    assert all(tile.width < TILE_WIDTH for tile in read), "nothing but the edge is read"
    grow(edge, size, tiles)
    assert tiles == expected(at) | expected(size)


@settings(deadline=None, max_examples=40)
@given(SIZES.filter(bool) | st.just(66_000), st.data())
def test_root_and_proofs_out_of_the_edge_s_tiles_are_the_rfc_s(size: int, data: st.DataObject) -> None:
    """What a verifier gets is what RFC 6962 defines over the entries, from tiles that were never looked at as a whole."""
    edge, tiles = Edge(0, []), Tiles()
    grow(edge, size, tiles)
    tree = Tree.of(size, tiles)
    leaf, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    assert tree.root() == LOG.root(size)
    assert list(tree.inclusion(leaf)) == LOG.path(leaf, size)
    assert list(tree.consistency(old)) == (LOG.proof(old, size) if old < size else [])


def test_a_tree_without_leaves_has_no_tiles() -> None:
    """Nothing is read, nothing comes out."""
    edge = Edge.of(0, lambda tile: b"")
    assert edge.size == 0
    assert list(edge.partial()) == []
