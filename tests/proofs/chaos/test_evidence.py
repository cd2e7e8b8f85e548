"""The store is read by statements of our own."""

import contextlib
import sqlite3
from pathlib import Path

from blindrelay.proofs.chaos.evidence import examine_store, label


def _database(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE envelope (message_id BLOB)")
        connection.execute("CREATE TABLE traffic (message_id BLOB)")
        connection.execute("INSERT INTO envelope VALUES (x'01')")
        connection.executemany("INSERT INTO traffic VALUES (?)", [(b"\x01",), (b"\x01",), (b"\x02",)])
        connection.commit()


def test_envelopes_and_traffic_are_counted(tmp_path: Path) -> None:
    """What is there, and how often."""
    _database(tmp_path / "relay.db")
    view = examine_store(tmp_path / "relay.db")
    assert (view.envelopes, dict(view.traffic), view.damage) == (frozenset({"01"}), {"01": 2, "02": 1}, ())


def test_a_payload_in_a_free_page_is_found(tmp_path: Path) -> None:
    """What SQLite has only unlinked is still in the file."""
    _database(tmp_path / "relay.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "relay.db")) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute(
            "INSERT INTO envelope VALUES (?)", (label("a.example/b/c", "d.example/e/f", 7) + bytes(5_000),)
        )
        connection.commit()
        connection.execute("DELETE FROM envelope")
        connection.commit()
    view = examine_store(tmp_path / "relay.db")
    assert (view.envelopes, view.remains) == (frozenset(), frozenset({("a.example/b/c", "d.example/e/f", 7)}))


def test_a_damaged_database_is_evidence(tmp_path: Path) -> None:
    """A file that SQLite does not understand is reported, not raised."""
    (tmp_path / "relay.db").write_bytes(b"no database at all" * 100)
    assert examine_store(tmp_path / "relay.db").damage
