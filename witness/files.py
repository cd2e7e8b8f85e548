"""Files that are whole and on stable storage, or not there."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600


def make_folder(path: Path) -> None:
    """A folder for its owner alone, with those above it; durable below one that was there."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        sync_folder(path.parent)


def write_durably(path: Path, data: bytes) -> None:
    """Make `data` the file at `path`. Whenever this is cut off, the old one or the new one is there; after it, the new one.

    Raises:
        OSError: it is not known which of them is there.
    """
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock (flock) at `path` against other processes.

    Raises:
        BlockingIOError: another one holds it, and this one does not `wait`.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
