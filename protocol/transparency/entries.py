"""Entry bundles: the log's entries, 256 at a time (https://c2sp.org/tlog-tiles#log-entries)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.tiles import TILE_WIDTH, number_path, parse_number

#: The length of an entry is a 16-bit number.
MAX_ENTRY: Final = 65_535
_PREFIX: Final = "tile/entries/"


@dataclass(frozen=True, slots=True)
class Bundle:
    """The `index`-th 256 entries, or the first `width` of them."""

    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Where it is, below the log's prefix."""
        return _PREFIX + number_path(self.index, self.width)

    @classmethod
    def parse(cls, path: str) -> Self:
        """The bundle that `path` names. Raises `Malformed`."""
        if not path.startswith(_PREFIX):
            raise Malformed(f"{path[:80]!r} is not the path of an entry bundle: expected {_PREFIX}<index>[.p/<width>]")
        return cls(*parse_number(path.removeprefix(_PREFIX)))

    @classmethod
    def with_entry(cls, index: int, size: int) -> Self:
        """The bundle with the entry `index` of a log of `size`."""
        number = index // TILE_WIDTH
        return cls(number, min(size - number * TILE_WIDTH, TILE_WIDTH))

    @property
    def start(self) -> int:
        """The index of its first entry."""
        return self.index * TILE_WIDTH

    def exists(self, size: int) -> bool:
        """Whether a log of `size` has all of its entries."""
        return self.start + self.width <= size


def pack(entries: Iterable[bytes]) -> bytes:
    """Entries as a bundle. Raises `Malformed` when one is too long."""
    return b"".join(_prefixed(entry) for entry in entries)


def unpack(bundle: Bundle, data: bytes) -> list[bytes]:
    """The first `bundle.width` entries of `data`, which may be those of a wider one. Raises `Malformed`."""
    entries = list(entries_in(bundle, data))
    if not bundle.width <= len(entries) <= TILE_WIDTH:
        raise Malformed(f"{bundle.path} has {len(entries)} entries, and {bundle.width} were expected")
    return entries[: bundle.width]


def entries_in(bundle: Bundle, data: bytes) -> Iterator[bytes]:
    """All entries of `data`, however many; raises `Malformed` where it ends in the middle of one."""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        end = at + 2 + length
        if len(data) < at + 2 or len(data) < end:
            raise Malformed(f"{bundle.path} ends in the middle of an entry")
        yield data[at + 2 : end]
        at = end


def _prefixed(entry: bytes) -> bytes:
    if len(entry) > MAX_ENTRY:
        raise Malformed(f"an entry has {len(entry)} bytes, and a log takes {MAX_ENTRY} at most")
    return len(entry).to_bytes(2, "big") + entry
