"""What the relay's database holds, read with SQLite alone and by statements of our own: the relay's code is not asked."""

import contextlib
import re
import sqlite3
from collections import Counter
from pathlib import Path

from blindrelay.proofs.chaos.history import StoreView

# How every payload of a run begins: see `label`.
_LABEL = re.compile(rb"payload ([a-z0-9./-]+) ([a-z0-9./-]+) ([0-9]+) ")


def label(sender: str, recipient: str, number: int) -> bytes:
    """What a payload begins with, so that it is recognised wherever it is left behind."""
    return f"payload {sender} {recipient} {number} ".encode()


def examine_store(database: Path) -> StoreView:
    """Read the database of a relay that does not run (any more). SQLite recovers it from its WAL first, as a relay would."""
    remains = _remains(database)
    try:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            damage = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
            damage += [f"dangling reference: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
            return StoreView(
                frozenset(row[0].hex() for row in connection.execute("SELECT message_id FROM envelope")),
                Counter(row[0].hex() for row in connection.execute("SELECT message_id FROM traffic")),
                tuple(line for line in damage if line != "ok"),
                remains,
            )
    except sqlite3.DatabaseError as error:
        return StoreView(damage=(f"the database cannot be read: {error}",))


def _remains(database: Path) -> frozenset[tuple[str, str, int]]:
    files = [database, database.with_name(f"{database.name}-wal")]
    found = (match for file in files if file.exists() for match in _LABEL.finditer(file.read_bytes()))
    return frozenset((match[1].decode(), match[2].decode(), int(match[3])) for match in found)
