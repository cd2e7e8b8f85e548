"""Files that are whole or not there, for their owner alone, and on stable storage before anybody relies on them."""

import os
from pathlib import Path
from typing import Final

_FILE_MODE: Final = 0o600


def write(path: Path, data: bytes) -> None:
    """Make `data` the file at `path`. Its name is durable once its folder is: see `sync_folder`."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes) -> None:
    """Make `data` the file at `path`, name and all; a crash leaves the old one or the new one."""
    write(path, data)
    sync_folder(path.parent)
