"""Entry bundles: 256 entries each, every one behind its length (https://c2sp.org/tlog-tiles, "Log entries")."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.entries import MAX_ENTRY, Bundle, pack, unpack
from blindrelay.protocol.transparency.tiles import Tile


@pytest.mark.parametrize(
    ("bundle", "path"),
    [
        (Bundle(0), "tile/entries/000"),
        (Bundle(1_234_067), "tile/entries/x001/x234/067"),
        (Bundle(273, 112), "tile/entries/273.p/112"),
    ],
)
def test_a_bundle_has_one_path(bundle: Bundle, path: str) -> None:
    """Numbered as the tiles are."""
    assert bundle.path == path
    assert Bundle.parse(path) == bundle


@pytest.mark.parametrize("path", ["tile/entries/1", "tile/0/000", "tile/entries/000.p/256", "entries/000", ""])
def test_no_other_path_names_a_bundle(path: str) -> None:
    """Least of all a tile's."""
    with pytest.raises(Malformed):
        Bundle.parse(path)


@given(st.integers(0, 2**40), st.integers(0, 300))
def test_each_entry_is_in_one_bundle(index: int, more: int) -> None:
    """Which is as wide as the log of that size has it, beside the tile with the hashes of its entries."""
    size = index + 1 + more
    bundle = Bundle.with_entry(index, size)
    assert bundle.start <= index < bundle.start + bundle.width
    assert bundle.exists(size)
    assert Tile(0, bundle.index, bundle.width).exists(size)
    assert bundle.width == 256 or not Bundle(bundle.index, bundle.width + 1).exists(size)


def test_an_entry_is_behind_its_length() -> None:
    """Two bytes, the higher one first."""
    assert pack([b"", b"a", b"b" * 258]) == b"\0\0" + b"\0\1a" + b"\1\2" + b"b" * 258


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256), st.data())
def test_entries_come_back(entries: list[bytes], data: st.DataObject) -> None:
    """All of them, or the first ones where the log has more by now."""
    width = data.draw(st.integers(1, len(entries)))
    assert unpack(Bundle(0, width), pack(entries)) == entries[:width]


def test_an_entry_has_a_longest_length() -> None:
    """What two bytes can say."""
    assert unpack(Bundle(0, 1), pack([b"a" * MAX_ENTRY])) == [b"a" * MAX_ENTRY]
    with pytest.raises(Malformed):
        pack([b"a" * (MAX_ENTRY + 1)])


@given(st.binary(max_size=600), st.integers(1, 256))
def test_whatever_is_no_bundle_is_malformed(data: bytes, width: int) -> None:
    """The parser raises nothing else, and what it takes is packed again to the same bytes."""
    try:
        entries = unpack(Bundle(0, width), data)
    except Malformed:
        return
    assert len(entries) == width
    assert data.startswith(pack(entries))


@pytest.mark.parametrize("data", [b"\0\1a", pack([b""] * 257), pack([b"a", b"b"])[:-1], pack([b"a", b"b"]) + b"\0"])
def test_a_bundle_is_whole(data: bytes) -> None:
    """Neither fewer entries than asked for, nor more than 256, nor half a one."""
    with pytest.raises(Malformed):
        unpack(Bundle(0, 2), data)
