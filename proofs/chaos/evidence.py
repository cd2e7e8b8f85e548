"""What the relay's database holds, read with SQLite alone and by statements of our own: the relay's code is not asked."""

import contextlib
import sqlite3
from collections import Counter
from pathlib import Path

from blindrelay.proofs.chaos.history import StoreView


def examine_store(database: Path) -> StoreView:
    """Read the database of a relay that does not run (any more). SQLite recovers it from its WAL first, as a relay would."""
    try:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            damage = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
            damage += [f"dangling reference: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
            return StoreView(
                frozenset(row[0].hex() for row in connection.execute("SELECT message_id FROM envelope")),
                Counter(row[0].hex() for row in connection.execute("SELECT message_id FROM traffic")),
                tuple(line for line in damage if line != "ok"),
            )
    except sqlite3.DatabaseError as error:
        return StoreView(damage=(f"the database cannot be read: {error}",))


def is_erased(database: Path, needle: bytes) -> bool:
    """Whether `needle` is nowhere in the database's files: not in free pages, not in the WAL."""
    files = [database, database.with_name(f"{database.name}-wal")]
    return not any(needle in file.read_bytes() for file in files if file.exists())
