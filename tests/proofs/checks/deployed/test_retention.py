"""What should be gone and is not is found: rows by their age, envelopes by their bytes, whoever is kept without an order."""

import contextlib
import os
import secrets
import shutil
import sqlite3
from pathlib import Path

from blindrelay.proofs.evidence.pages import Pages, unused
from support.somebody import Somebody, reasons

DAY = 86_400
ENVELOPE = "INSERT INTO envelope VALUES (1, ?, ?, 1, NULL, 4096, ?, ?)"


def envelope(number: int) -> tuple[int, bytes, bytes, bytes]:
    """One that waits in the first mailbox, as far as pages know: any row whose payload is long and random."""
    return number, secrets.token_bytes(16), bytes(72), secrets.token_bytes(4_096)


# --- ages


def test_a_traffic_record_past_its_window(waiting: Somebody) -> None:
    """By the day."""
    waiting.sql(
        "UPDATE traffic SET accepted_at = ? WHERE id = (SELECT min(id) FROM traffic)", int(waiting.now - 32 * DAY)
    )

    verdict = waiting.examine("retention")

    assert reasons(verdict) == {"too-old"}
    assert "a traffic record of 32 days is still there" in verdict.findings[0].text


def test_the_window_is_that_of_the_relays_configuration(waiting: Somebody) -> None:
    """Whoever keeps records for a week promises a week."""
    waiting.sql("UPDATE traffic SET accepted_at = ?", int(waiting.now - 8 * DAY))
    assert reasons(waiting.examine("retention")) == set()

    (waiting.data / "blindrelay.toml").write_text("[retention]\ntraffic_days = 7\n")
    assert reasons(waiting.examine("retention")) == {"too-old"}


def test_a_relay_that_has_stood_still(waiting: Somebody) -> None:
    """Nothing has been deleted meanwhile: envelopes, connections, records."""
    waiting.sql("PRAGMA wal_checkpoint(TRUNCATE)")  # nothing was being erased when it stopped

    verdict = waiting.examine("retention", later=40 * DAY)

    assert reasons(verdict) == {"too-old"}
    for what in ("a traffic record", "a connection", "an envelope that expired"):
        assert any(what in finding.text for finding in verdict.findings), what


# --- pages


def test_a_log_that_was_being_emptied_when_it_was_copied(waiting: Somebody) -> None:
    """A busy relay's may hold what was erased in the last seconds."""
    newest = max(path.stat().st_mtime for path in waiting.data.rglob("*") if path.is_file())
    write_ahead(waiting)
    os.utime(waiting.data / "relay.db-wal", (newest, newest))

    verdict = waiting.examine("retention")

    assert reasons(verdict) == set()
    assert any("being erased just now" in why for why in verdict.skipped)


def test_a_page_that_was_freed_and_not_erased(waiting: Somebody) -> None:
    """SQLite leaves it as it was, unless it is told not to."""
    with contextlib.closing(sqlite3.connect(waiting.data / "relay.db")) as database:
        database.execute("PRAGMA secure_delete = OFF")
        with database:
            database.execute(ENVELOPE, envelope(1_000))
        with database:
            database.execute("DELETE FROM envelope WHERE sequence = 1000")

    verdict = waiting.examine("retention")

    assert reasons(verdict) == {"kept"}
    assert any("is nobody's, and is not empty" in finding.text for finding in verdict.findings)


def test_an_envelope_that_was_put_somewhere_else(waiting: Somebody) -> None:
    """In a column that is declared, and has another purpose."""
    waiting.sql(
        "INSERT INTO notice (key, issued_at, body, signature) VALUES ('1', 1, ?, X'00')", secrets.token_bytes(4_096)
    )

    verdict = waiting.examine("retention")

    assert reasons(verdict) == {"kept"}
    assert "looks encrypted, and is of no envelope that waits" in verdict.findings[0].text


def test_a_copy_that_moving_a_row_has_left(waiting: Somebody) -> None:
    """In the middle of a page with rows, where nothing is."""
    path, leaf, number = waiting.data / "relay.db", b"", 1_000
    ((root,),) = waiting.sql("SELECT rootpage FROM sqlite_master WHERE name = 'envelope'")
    while len(unused(leaf)) < 500:  # until a row has a page of its own
        waiting.sql(ENVELOPE, *envelope(number := number + 1))
        with Pages(path) as image:
            leaf = max(image.leaves(root), key=lambda each: len(unused(each)))
    room = unused(leaf)
    assert reasons(waiting.examine("retention")) == set()
    altered = leaf.replace(room, bytes(8) + secrets.token_bytes(len(room) - 16) + bytes(8), 1)
    path.write_bytes(path.read_bytes().replace(leaf, altered))

    verdict = waiting.examine("retention")

    assert reasons(verdict) == {"kept"}
    assert "has more left of a row than its columns" in verdict.findings[0].text


def write_ahead(relay: Somebody) -> None:
    """Leave a relay's database as one that was killed just after it had erased an envelope."""
    scratch = relay.data.parent / "scratch"
    shutil.copytree(relay.data, scratch)
    with contextlib.closing(sqlite3.connect(scratch / "relay.db")) as database:
        for pragma in ("journal_mode = WAL", "wal_autocheckpoint = 0", "secure_delete = ON"):
            database.execute(f"PRAGMA {pragma}")
        with database:
            database.execute(ENVELOPE, envelope(1_000))
        with database:
            database.execute("DELETE FROM envelope WHERE sequence = 1000")
        for name in ("relay.db", "relay.db-wal"):
            shutil.copyfile(scratch / name, relay.data / name)
    os.utime(relay.data / "relay.db-wal", (relay.now, relay.now))


def test_a_log_that_still_holds_what_was_erased(waiting: Somebody) -> None:
    """For seconds that is as it must be, and is said; afterwards it is not."""
    write_ahead(waiting)

    at_once, later = waiting.examine("retention", later=3), waiting.examine("retention", later=600)

    assert reasons(at_once) == set()
    assert any("being erased just now" in why for why in at_once.skipped)
    assert reasons(later) == {"kept"}
    assert "of relay.db or its log still hold what was erased" in later.findings[0].text


def test_a_log_that_is_never_emptied(waiting: Somebody) -> None:
    """It is as long as all that was written."""
    write_ahead(waiting)
    os.truncate(waiting.data / "relay.db-wal", 25 * 2**20)
    os.utime(waiting.data / "relay.db-wal", (waiting.now, waiting.now))

    verdict = waiting.examine("retention", later=3)

    assert reasons(verdict) == {"kept"}
    assert "relay.db-wal has 26,214,400 bytes" in verdict.findings[0].text


# --- backups


def test_a_backup_with_letters_that_were_fetched_since(waiting: Somebody, delivered: Somebody) -> None:
    """It keeps what the relay has promised to delete."""
    verdict = delivered.examine("retention", backups=(waiting.data / "relay.db",))

    assert reasons(verdict) == {"kept-in-backup"}
    assert "envelopes that have been delivered since, or have expired" in verdict.findings[0].text


def test_a_backup_of_what_waits(waiting: Somebody, tmp_path: Path) -> None:
    """That is no more than the relay itself has."""
    shutil.copytree(waiting.data, tmp_path / "backup")

    verdict = waiting.examine("retention", backups=(tmp_path / "backup",))

    assert reasons(verdict) == set()
    assert any("version is no database" in why for why in verdict.skipped)


# --- orders


def test_records_that_are_kept_by_no_order(delivered: Somebody) -> None:
    """The case file does not know of it."""
    delivered.sql("INSERT INTO preservation VALUES ('x/y', 0, 1, ?, NULL, 1, 1)", int(delivered.now + DAY))

    verdict = delivered.examine("retention")

    assert reasons(verdict) == {"bystander"}
    assert "the order x/y, which the case file does not have in force" in verdict.findings[0].text


def test_records_of_somebody_whom_no_order_names(delivered: Somebody) -> None:
    """A bystander, under an order that there is."""
    delivered.sql(
        "INSERT OR IGNORE INTO preserved_account SELECT device.account_id, preservation.key FROM device, preservation"
    )

    verdict = delivered.examine("retention")

    assert reasons(verdict) == {"bystander"}
    assert "accounts that it does not name" in verdict.findings[0].text


def test_an_order_that_nothing_carries_out(delivered: Somebody) -> None:
    """What it is about goes when its time has come."""
    delivered.sql("DELETE FROM preserved_account")
    delivered.sql("DELETE FROM preservation")

    assert reasons(delivered.examine("retention")) == {"not-kept"}
