"""The reader for metadata alone (`relay/store/metadata.py`)."""

import pytest
import sqlalchemy
from sqlalchemy import select, text

from blindrelay.relay.store import tables
from blindrelay.relay.store.metadata import open_metadata_reader
from blindrelay.relay.store.sqlite import SqliteStore
from support.stored import entry


@pytest.mark.parametrize(
    "attempt",
    [
        "SELECT payload FROM envelope",
        "SELECT count(*) FROM envelope",
        "SELECT 1 FROM traffic WHERE EXISTS (SELECT 1 FROM envelope)",
        "SELECT size FROM traffic UNION SELECT payload FROM envelope",
        "SELECT sequence FROM envelope",
        "SELECT checksum FROM recent_id",
        "SELECT certificate FROM device",
        "SELECT body FROM prekey",
        "SELECT sql FROM sqlite_schema",
        "SELECT * FROM dbstat",
        "DELETE FROM traffic",
        "UPDATE traffic SET size = 0",
        "CREATE TEMP VIEW v AS SELECT * FROM envelope",
        "ATTACH DATABASE 'relay.db' AS again",
        "PRAGMA query_only = OFF",
        "VACUUM INTO 'copy.db'",
        "SELECT load_extension('x')",
        "SELECT readfile('relay.db')",
    ],
)
def test_anything_else_is_denied(store: SqliteStore, attempt: str) -> None:
    """SQLite itself refuses envelopes, keys, writing, attaching and settings."""
    store.commit([entry(1)], [])
    with (
        open_metadata_reader(store.path) as reader,
        pytest.raises(
            sqlalchemy.exc.DatabaseError,
            match=r"not authorized|authorization denied|prohibited|no such function|vtable constructor failed",
        ),
    ):
        reader.select(text(attempt))


def test_metadata_is_read(store: SqliteStore) -> None:
    """Disclosable columns can be selected, counted and compared."""
    store.commit([entry(1, accepted_at=7), entry(2, sender=None, accepted_at=8)], [])
    traffic = tables.traffic.c
    with open_metadata_reader(store.path) as reader:
        assert reader.select(select(traffic.sender_id, traffic.size).order_by(traffic.id)) == [
            (2, 1_024),
            (None, 1_024),
        ]
        assert reader.select(text("SELECT count(*), max(accepted_at) FROM traffic")) == [(2, 8)]
        assert reader.select(text("SELECT count(*) FROM device")) == [(0,)]
        assert vars(reader).keys() == {"select", "is_shared"}
