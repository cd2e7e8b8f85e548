"""The files that the world is shown. Each is whole or not there, durable before anything refers to it, and never another."""

import contextlib
import dataclasses
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from blindrelay.protocol.transparency.entries import Bundle, pack, unpack
from blindrelay.protocol.transparency.tiles import CHECKPOINT_PATH, TILE_WIDTH, Tile, checked
from blindrelay.relay import files

_DIRECTORY_MODE: Final = 0o700
# Tiles in memory: 8 MiB. Proofs at the end of the log need the same few again and again.
_REMEMBERED: Final = 1_024


class Shelf:
    """A folder of published files: `pieces.Pieces`. `path` may be called from any thread, too."""

    is_near = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"the log in {folder}"
        for parent in _make_folder(folder):
            files.sync_folder(parent)
        self.read = lru_cache(_REMEMBERED)(self._read)

    def path(self, piece: Tile | Bundle) -> Path:
        """Where a tile or bundle is, whether it is there or not."""
        return self.folder / piece.path

    def fetch(self, piece: Tile | Bundle) -> bytes:
        """A tile or bundle. A partial one goes when it is full, and is the beginning of what has taken its place.

        Raises:
            FileNotFoundError: it is not there.
        """
        try:
            return self.path(piece).read_bytes()
        except FileNotFoundError:
            return _beginning(piece, self.path(dataclasses.replace(piece, width=TILE_WIDTH)).read_bytes())

    def _read(self, tile: Tile) -> bytes:
        return self.fetch(tile)

    def checkpoint(self) -> bytes | None:
        """The last one; None when there is none yet."""
        try:
            return (self.folder / CHECKPOINT_PATH).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, pieces: Iterable[tuple[Tile | Bundle, bytes]]) -> None:
        """Write tiles and bundles; all are durable on return. A full one takes the place of the partial ones before it."""
        folders: set[Path] = set()
        full: list[Path] = []
        for piece, data in pieces:
            path = self.path(piece)
            folders.update(_make_folder(path.parent))
            files.write(path, data)
            folders.add(path.parent)
            if piece.width == TILE_WIDTH:
                full.append(path)
        for folder in sorted(folders):
            files.sync_folder(folder)
        # Not before: what is published may need the partial one, and the power may fail.
        for path in full:
            _remove_partials(path)

    def publish(self, checkpoint: bytes) -> None:
        """Make a checkpoint the last one; durable on return."""
        files.write_durably(self.folder / CHECKPOINT_PATH, checkpoint)


def _beginning(piece: Tile | Bundle, full: bytes) -> bytes:
    return checked(piece, full) if isinstance(piece, Tile) else pack(unpack(piece, full))


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
