"""Databases as they all are at one moment, copied while they are written to.

Nobody writes while the readers begin: some milliseconds, for which commits wait (`_LOCK_PATIENCE` of the stores is 5 s). What
is copied is written anew (VACUUM INTO), so that no page of anything that was deleted is in the copy. As long as it takes, the
relay cannot empty its WAL: what it deletes meanwhile is erased afterwards.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from blindrelay.relay.errors import Unreadable

#: Told how many bytes are done, of how many.
Told = Callable[[int, int], None]

_PATIENCE: Final = 10.0  # seconds, for a commit that is under way
_PAGES: Final = 1_024  # at a time: 4 MiB


@contextlib.contextmanager
def frozen(paths: Sequence[Path]) -> Iterator[list[sqlite3.Connection]]:
    """Connections that see these databases as they are now, for as long as the context lasts. Raises `Unreadable`."""
    with contextlib.ExitStack() as stack:
        try:
            # These stay to the end: the last writer's connection that closes tidies up the WAL where no relay runs.
            writers = [stack.enter_context(contextlib.closing(_connect(path))) for path in paths]
            for writer in writers:
                writer.execute("BEGIN IMMEDIATE")
            readers = [stack.enter_context(contextlib.closing(_connect(path))) for path in paths]
            for reader in readers:
                reader.execute("BEGIN")
                reader.execute(
                    "SELECT count(*) FROM sqlite_master"
                ).fetchone()  # the snapshot begins with the first look
            for writer in writers:
                writer.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise Unreadable(f"{', '.join(map(str, paths))} cannot be read: {error}") from error
        yield readers


def copy(reader: sqlite3.Connection, target: Path, told: Told) -> None:
    """Write what `reader` sees to `target`, for its owner alone, without anything that was deleted. Raises `sqlite3.Error`."""
    raw = target.with_name(f".{target.name}.raw")
    try:
        for path in (raw, target):  # with their modes before there is anything in them
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        page = int(reader.execute("PRAGMA page_size").fetchone()[0])
        with contextlib.closing(sqlite3.connect(raw, isolation_level=None)) as pages:
            pages.execute("PRAGMA synchronous = OFF")
            reader.backup(
                pages, pages=_PAGES, progress=lambda _, left, total: told((total - left) * page, total * page)
            )
        with contextlib.closing(sqlite3.connect(raw, isolation_level=None)) as pages:
            pages.execute("VACUUM INTO ?", (str(target),))
    finally:
        for name in (raw.name, f"{raw.name}-wal", f"{raw.name}-shm", f"{raw.name}-journal"):
            raw.with_name(name).unlink(missing_ok=True)


def check(path: Path) -> str | None:
    """What is wrong with a database; None: nothing. Raises `sqlite3.Error` when it is none."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
        found = database.execute("PRAGMA integrity_check").fetchone()[0]
    return None if found == "ok" else str(found)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None, timeout=_PATIENCE)
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection
