"""Where a log's published pieces are: in files (`shelf`), or in the database of several nodes (`stored_shelf`)."""

from collections.abc import Callable, Iterable
from typing import Protocol

from blindrelay.protocol.transparency.entries import Bundle
from blindrelay.protocol.transparency.tiles import Tile


class HeadMoved(Exception):
    """Another node has published since this one looked."""


class Pieces(Protocol):
    """They block; used by one thread at a time, but for `read` and `fetch`.

    Attributes:
        name: what messages call it.
        is_near: whether reading a piece takes so little time that the event loop may wait for it.
        read: a tile, as `fetch` gives it; the last ones from memory.
    """

    @property
    def name(self) -> str:
        """See above."""

    @property
    def is_near(self) -> bool:
        """See above."""

    @property
    def read(self) -> Callable[[Tile], bytes]:
        """See above."""

    def fetch(self, piece: Tile | Bundle) -> bytes:
        """A tile or bundle. Raises `FileNotFoundError`: it is not there."""

    def checkpoint(self) -> bytes | None:
        """The last one; None when there is none yet."""

    def put(self, pieces: Iterable[tuple[Tile | Bundle, bytes]]) -> None:
        """Keep tiles and bundles; all are durable on return."""

    def publish(self, checkpoint: bytes) -> None:
        """Make a checkpoint the last one; durable on return. Raises `HeadMoved`: another node has made one meanwhile."""
