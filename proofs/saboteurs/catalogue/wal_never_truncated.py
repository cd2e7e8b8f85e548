"""The write-ahead log is never emptied: deleted rows are still in it.

Modelled on forensics of SQLite: deleted messages of several messengers were read from WAL files (Caithness: The Forensic
Implications of SQLite's Write Ahead Log, 2012).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.store.sqlite import SqliteStore

    SqliteStore._checkpoint = lambda self: True


SABOTEUR = Saboteur(
    name="wal-never-truncated",
    title="the database's write-ahead log is never emptied",
    lock=Lock.FORM,
    modelled_on="deleted messages in WAL files (Caithness, 2012)",
    caught_by=frozenset({("retention", "kept")}),
    in_relay=_in_relay,
)
