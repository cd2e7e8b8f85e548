"""The published log `directory`: files of a relay of one process, rows of one of several nodes.

Its tiles are made anew out of the entries. That they lead to the root of the checkpoint which the world has been shown says
that the log goes on where it was.
"""

from pathlib import Path
from typing import Final

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency import directory
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.tiles import CHECKPOINT_PATH, Tile, Tree
from blindrelay.relay.copying.report import LogCopied
from blindrelay.relay.copying.source import Source
from blindrelay.relay.copying.target import Target
from blindrelay.relay.errors import CopyDiffers, Unreadable
from blindrelay.relay.store import tables
from blindrelay.relay.transparency.assembly import FOLDER
from blindrelay.relay.transparency.entries import AT_ONCE
from blindrelay.relay.transparency.growth import Growth

_NAME: Final = directory.NAME


def copy_log(source: Source, target: Target) -> None:
    """Write what is published of it, if anything is. Raises `Unreadable`: there is less of it than has been shown."""
    note = _note(source.data)
    if note is None:
        return
    size = _checkpoint(note, source.data).size
    growth = Growth.of(0, (), lambda tile: target.tile(_NAME, tile))
    while growth.size < size:
        entries = source.entries(tables.directory_entry.name, growth.size, min(AT_ONCE, size - growth.size))
        if not entries:
            raise Unreadable(
                f"the log in {_folder(source.data)} shows {size} entries, and the database has {growth.size}: restore the "
                "newest backup, and copy that"
            )
        for piece, data in growth.take(entries):
            if isinstance(piece, Tile):
                target.put_tile(_NAME, piece, data)
    target.put_head(_NAME, size, note)


def verify_log(source: Source, target: Target) -> LogCopied | None:
    """Compare what is published there with what has been shown; None: nothing has been. Raises `CopyDiffers`."""
    note = _note(source.data)
    if note != target.head(_NAME):
        raise CopyDiffers(f"the log {_NAME}: the database has another checkpoint than {_folder(source.data)}")
    if note is None:
        return None
    checkpoint = _checkpoint(note, source.data)
    try:
        root = Tree(checkpoint.size, lambda tile: target.tile(_NAME, tile)).root()
    except (Malformed, FileNotFoundError) as error:
        raise CopyDiffers(f"the log {_NAME}: a tile is not what it was ({error})") from error
    if root != checkpoint.root:
        raise CopyDiffers(
            f"the log {_NAME}: the database has other entries than {_folder(source.data)} shows: one of them is another relay's"
        )
    return LogCopied(_NAME, checkpoint.size, checkpoint.root.hex())


def _folder(data: Path) -> Path:
    return data / FOLDER / _NAME


def _note(data: Path) -> bytes | None:
    try:
        return (_folder(data) / CHECKPOINT_PATH).read_bytes()
    except FileNotFoundError:
        return None


def _checkpoint(note: bytes, data: Path) -> Checkpoint:
    try:
        return Checkpoint.parse(Note.parse(note).text)
    except Malformed as error:
        raise Unreadable(f"the log in {_folder(data)} is damaged ({error}): restore it from a backup") from error
