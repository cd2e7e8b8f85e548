"""The files that the world is shown. Each is whole or not there, durable before anything refers to it, and never another."""

import contextlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from blindrelay.protocol.transparency.entries import Bundle
from blindrelay.protocol.transparency.tiles import CHECKPOINT_PATH, TILE_WIDTH, Tile, checked
from blindrelay.relay import files

_DIRECTORY_MODE: Final = 0o700
# Tiles in memory: 8 MiB. Proofs at the end of the log need the same few again and again.
_REMEMBERED: Final = 1_024


class Shelf:
    """A folder of published files. It blocks; used by one thread at a time, but for `read` and `path`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _make_folder(folder)
        self.read = lru_cache(_REMEMBERED)(self._read)

    def path(self, piece: Tile | Bundle) -> Path:
        """Where a tile or bundle is, whether it is there or not."""
        return self.folder / piece.path

    def _read(self, tile: Tile) -> bytes:
        try:
            return self.path(tile).read_bytes()
        except FileNotFoundError:
            # A partial tile goes when it is full. Its hashes are the first ones of what has taken its place.
            return checked(tile, self.path(Tile(tile.level, tile.index)).read_bytes())

    def checkpoint(self) -> bytes | None:
        """The last one; None when there is none yet."""
        try:
            return (self.folder / CHECKPOINT_PATH).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, pieces: Iterable[tuple[Tile | Bundle, bytes]]) -> None:
        """Write tiles and bundles; all are durable on return. A full one takes the place of the partial ones before it."""
        folders: set[Path] = set()
        for piece, data in pieces:
            path = self.path(piece)
            folders.update(_make_folder(path.parent))
            files.write(path, data)
            folders.add(path.parent)
            if piece.width == TILE_WIDTH:
                _remove_partials(path)
        for folder in sorted(folders):
            files.sync_folder(folder)

    def publish(self, checkpoint: bytes) -> None:
        """Make a checkpoint the last one; durable on return."""
        files.write_durably(self.folder / CHECKPOINT_PATH, checkpoint)


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder and those above it that there are not yet; returns those in which a new name appeared."""
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(mode=_DIRECTORY_MODE)
    return [new.parent for new in missing]


def _remove_partials(path: Path) -> None:
    folder = path.with_name(f"{path.name}.p")
    with contextlib.suppress(FileNotFoundError):
        for partial in folder.iterdir():
            partial.unlink()
        folder.rmdir()
