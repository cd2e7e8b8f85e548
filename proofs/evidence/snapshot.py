"""A private copy of what a relay has on disk. The relay's own files are read once, as bytes, and never opened as databases.

Even to read a database in place is to change the place: SQLite makes an index of the write-ahead log beside it, marks there
what it reads, and holds up whoever wants to empty the log. So files are copied, while the relay runs, and copies are opened.
A database and its log are copied together, again and again until neither was rewritten meanwhile.
"""

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blindrelay.relay.datadir import LAYOUT_VERSION
from blindrelay.relay.errors import NewerVersion, Unreadable

_SQLITE: Final = b"SQLite format 3\0"
#: What stands beside a database. The index of the log is made anew when the copy is opened.
_WAL, _INDEX, _JOURNAL = "-wal", "-shm", "-journal"
BESIDE: Final = (_WAL, _INDEX, _JOURNAL)
#: How often a database is copied that is rewritten meanwhile, and the pause before it. A checkpoint takes milliseconds.
_TRIES: Final = 50
_PAUSE: Final = 0.05
#: The first bytes of a log: its salts are others after each time that it was emptied.
_WAL_HEAD: Final = 32
#: The relay's own room for bad days, and files that come and go, beside what is copied.
_ROOM: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Copied:
    """A file and its copy. `where` is what it is called for people."""

    where: str
    path: Path


def check_data_directory(path: Path) -> None:
    """Raise `Unreadable` for what is no relay's data directory, `NewerVersion` for that of a newer release."""
    try:
        if not path.is_dir():
            raise Unreadable(f"{path} is no folder: name the data directory of a relay (`blindrelay up --data-dir`)")
        missing = [name for name in ("version", "relay.db") if not (path / name).is_file()]
        if missing:
            raise Unreadable(
                f"{path} is no data directory of a relay: there is no {' and no '.join(missing)} in it. "
                "Name the folder that `blindrelay up` shows as its data directory. A relay that keeps its data in PostgreSQL "
                "cannot be examined so"
            )
        version = (path / "version").read_text("ascii", "replace").strip()
    except OSError as error:
        raise Unreadable(
            f"{error.filename or path} cannot be read: {error.strerror}. Examine it as the user that the relay runs as"
        ) from error
    if not (version.isdigit() and len(version) < 10):
        raise Unreadable(f"{path / 'version'} is damaged: expected a number, the version of the directory's layout")
    if int(version) > LAYOUT_VERSION:
        raise NewerVersion(
            f"{path} was written by a newer release (layout {version}, this one knows {LAYOUT_VERSION}): "
            "examine it with that release"
        )


def copy_folder(source: Path, into: Path) -> list[str]:
    """Copy everything in a folder that is a file; return what is none, for people.

    Published logs come before databases, whatever their names: an entry is in a database before it is published.

    Raises:
        Unreadable: something cannot be read, there is no room, or a database is rewritten faster than it can be copied.
    """
    passed_over: list[str] = []
    files = list(_files(source, source, passed_over))
    _need_room(sum(_length(path) for path in files), into)
    databases = {path for path in files if is_database(path)}
    beside = {path.with_name(f"{path.name}{suffix}") for path in databases for suffix in BESIDE}
    for path in [*(each for each in files if each not in databases | beside), *sorted(databases)]:
        target = into / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path in databases:
            copy_database(path, target)
        else:
            _copy(path, target)
    return passed_over


def copy_database(source: Path, target: Path) -> None:
    """Copy a database with its log, as they were at one moment. Raises `Unreadable`."""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE)
        before = _state(source)
        for suffix in ("", _WAL, _JOURNAL):
            copy = target.with_name(f"{target.name}{suffix}")
            copy.unlink(missing_ok=True)
            _copy(source.with_name(f"{source.name}{suffix}"), copy)
        if _state(source) == before:
            if source.with_name(f"{source.name}{_INDEX}").exists():
                target.with_name(f"{target.name}{_INDEX}").touch()
            _check_database(source, target)
            return
    raise Unreadable(f"{source} is rewritten faster than it can be copied: try again when the relay is less busy")


def is_database(path: Path) -> bool:
    """Whether a file says that it is one of SQLite's. Raises `Unreadable`."""
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unreadable(path, error) from error


def _files(folder: Path, root: Path, passed_over: list[str]) -> Iterator[Path]:
    try:
        found = sorted(os.scandir(folder), key=lambda entry: (entry.is_dir(), entry.name))
    except FileNotFoundError:
        return  # it has gone meanwhile
    except OSError as error:
        raise _unreadable(folder, error) from error
    for entry in found:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _files(path, root, passed_over)
        elif path.is_file():
            yield path
        elif path.is_symlink() or path.exists():
            passed_over.append(f"{path.relative_to(root)} is neither a file nor a folder")


def _need_room(size: int, into: Path) -> None:
    free = shutil.disk_usage(into).free
    if free < size + _ROOM:
        raise Unreadable(
            f"a copy is examined, and {into} has {free:,} bytes of room for {size:,}: "
            "name a folder on a larger disk in the environment variable TMPDIR"
        )


def _copy(source: Path, target: Path) -> None:
    """With its time of change. A file that has gone meanwhile was not there."""
    try:
        shutil.copyfile(source, target)
        stat = source.stat()
        os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(source, error) from error


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _state(database: Path) -> tuple[int, int, bytes]:
    """Another one after each write into the database itself: that is when its log is emptied."""
    try:
        stat = database.stat()
    except OSError as error:
        raise _unreadable(database, error) from error
    head = b""
    with contextlib.suppress(FileNotFoundError), database.with_name(f"{database.name}{_WAL}").open("rb") as file:
        head = file.read(_WAL_HEAD)
    return stat.st_mtime_ns, stat.st_size, head


def _check_database(source: Path, copy: Path) -> None:
    """A damaged database shows nothing, and nothing found in it would be no evidence."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{copy}?mode=ro", uri=True)) as database:
            problem = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        problem = str(error)
    if problem != "ok":
        raise Unreadable(f"{source} is damaged ({problem.splitlines()[-1]}): nothing can be said about it")


def _unreadable(path: Path, error: OSError) -> Unreadable:
    return Unreadable(f"{path} cannot be read: {error.strerror}. Examine it as the user that the relay runs as")
