"""Retention: what is gone is gone to the last byte, what is kept is what an order names, and the purge job runs."""

import contextlib
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import mqtt5
import pytest

from blindrelay.proofs.checks import retention
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.manifest import Case
from blindrelay.relay.config import Retention
from support.proofs import connection, evidence, moment, reasons, report_for

NOW = 1_000_000_000.0
DAY = 86_400
ID = bytes(range(16))
TABLES = """
CREATE TABLE envelope (message_id BLOB, expires_at INTEGER);
CREATE TABLE traffic (message_id BLOB, sender_id INTEGER, recipient_id INTEGER, accepted_at INTEGER);
CREATE TABLE access (account_id INTEGER, opened_hour INTEGER, closed_hour INTEGER);
CREATE TABLE recent_id (accepted_at INTEGER);
CREATE TABLE preserved_account (account_id INTEGER);
CREATE TABLE device (account_id INTEGER, tenant TEXT, user TEXT, device TEXT);
INSERT INTO device VALUES (1, 'acme.example', 'alice', 'laptop'), (2, 'globex.example', 'bob', 'phone');
"""


def relay(folder: Path, *statements: str, values: tuple[object, ...] = ()) -> Path:
    """A relay's database at a moment."""
    path = folder / "relay.db"
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(TABLES)
        for statement in statements:
            database.execute(statement, values)
    return path


def letter(payload: bytes) -> mqtt5.PublishPacket:
    return mqtt5.PublishPacket(
        "v1/to/globex.example/bob/phone", payload, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=1, correlation_data=ID
    )


def sent(folder: Path, payload: bytes) -> Evidence:
    """Evidence of a run in which a letter was sent."""
    found = evidence(folder, moments=[moment()])
    vars(found)["connections"] = [connection([letter(payload)])]
    relay(found.disk("delivered"))
    return found


@pytest.mark.parametrize("offset", [100, 1_120, 3_160], ids=["first page", "second page", "last page"])
@pytest.mark.parametrize(
    ("place", "reason"), [("disk/delivered/spool", "kept"), ("backups/delivered.db", "kept-in-backup")]
)
def test_any_page_of_an_envelope_that_is_gone(offset: int, place: str, reason: str, tmp_path: Path) -> None:
    """One page of it is enough, in a file or in a backup."""
    payload = os.urandom(3_200)
    run = sent(tmp_path, payload)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_bytes(b"." * 77 + payload[offset : offset + 200])
    report = report_for("retention")

    retention._gone(run, "delivered", retention._envelopes(run), report)

    assert reasons(report) == [reason]


def test_what_waits_may_be_there(tmp_path: Path) -> None:
    """Nothing is found of an envelope that nobody has fetched."""
    payload = os.urandom(2_048)
    run = sent(tmp_path, payload)
    with contextlib.closing(sqlite3.connect(run.disk("delivered") / "relay.db", isolation_level=None)) as database:
        database.execute("INSERT INTO envelope VALUES (?, NULL)", (ID,))
    (run.disk("delivered") / "spool").write_bytes(payload)
    report = report_for("retention")

    retention._gone(run, "delivered", retention._envelopes(run), report)

    assert reasons(report) == []


def test_an_acknowledged_envelope_that_still_waits(tmp_path: Path) -> None:
    """By the packets of a connection that was over by then."""
    run = evidence(tmp_path, moments=[moment().model_copy(update={"tick": 5.0})])
    delivered = letter(bytes(2_048))
    vars(run)["connections"] = [connection([mqtt5.PubAckPacket(1)], [delivered])]
    relay(run.disk("delivered"), "INSERT INTO envelope VALUES (?, NULL)", values=(ID,))
    report = report_for("retention")

    retention._acknowledged(run, "delivered", report)

    assert reasons(report) == ["kept"]


def test_a_purged_record_whose_bytes_are_left(tmp_path: Path) -> None:
    """Rows that were there at one moment and are gone at a later one."""
    run = evidence(tmp_path, moments=[moment("waiting"), moment("aged")])
    relay(run.disk("waiting"), "INSERT INTO traffic VALUES (?, 1, 2, 0)", values=(ID,))
    relay(run.disk("aged"))
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "aged.db").write_bytes(b"")
    report = report_for("retention")
    retention._purged(run, report)
    assert reasons(report) == []
    assert report.missing(["records looked for where they must be gone"]) == []

    (run.disk("aged") / "relay.db-wal").write_bytes(b"." * 13 + ID)
    retention._purged(run, report)

    assert reasons(report) == ["kept"]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (f"INSERT INTO traffic VALUES (x'00', 1, 2, {NOW - 40 * DAY})", "too-old"),
        (f"INSERT INTO traffic VALUES (x'00', 1, 2, {NOW - 2 * DAY})", None),
        (f"INSERT INTO access VALUES (1, 0, {(NOW - 100 * DAY) // 3_600})", "too-old"),
        (f"INSERT INTO recent_id VALUES ({NOW - 40 * DAY})", "too-old"),
        (f"INSERT INTO envelope VALUES (x'00', {NOW - DAY})", "too-old"),
        (f"INSERT INTO envelope VALUES (x'00', {NOW + DAY})", None),
    ],
)
def test_what_is_older_than_its_window(statement: str, reason: str | None, tmp_path: Path) -> None:
    """Records of every kind, and envelopes past their expiry."""
    report = report_for("retention")

    retention.ages(relay(tmp_path, statement), NOW, Retention(), report, "aged")

    assert reasons(report) == ([reason] if reason else [])


def test_what_an_order_keeps_may_be_older(tmp_path: Path) -> None:
    """By the accounts that it names."""
    path = relay(
        tmp_path,
        f"INSERT INTO traffic VALUES (x'00', 1, 2, {NOW - 40 * DAY})",
        "INSERT INTO preserved_account VALUES (2)",
    )
    report = report_for("retention")

    retention.ages(path, NOW, Retention(), report, "aged")

    assert reasons(report) == []


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (["INSERT INTO preserved_account VALUES (1)"], []),
        ([], ["not-kept"]),
        (["INSERT INTO preserved_account VALUES (1), (2)"], ["bystander"]),
        (["INSERT INTO preserved_account VALUES (1)", "INSERT INTO traffic VALUES (x'00', 2, 2, 0)"], ["bystander"]),
        (["INSERT INTO preserved_account VALUES (1)", "INSERT INTO traffic VALUES (x'00', 2, 1, 0)"], []),
    ],
)
def test_an_order_keeps_its_targets_and_nobody_else(statements: list[str], found: list[str], tmp_path: Path) -> None:
    """All of them, their records, and those of no bystander."""
    report = report_for("retention")

    retention._preserved({"alice@acme.example"}, relay(tmp_path, *statements), report)

    assert reasons(report) == found


@pytest.mark.parametrize(
    ("scraped", "found"),
    [
        (f"blindrelay_retention_timestamp_seconds {NOW - 60}\n", []),
        (f"blindrelay_retention_timestamp_seconds {NOW - 9 * 3_600}\n", ["not-run"]),
        ("# TYPE blindrelay_retention_timestamp_seconds gauge\n", ["not-run"]),
    ],
)
def test_the_purge_job_has_run(scraped: str, found: list[str], tmp_path: Path) -> None:
    """Within its time, by what the relay shows to whoever collects metrics."""
    report = report_for("retention")

    retention._ran(scraped, NOW, "aged", report)

    assert reasons(report) == found


def test_an_order_counts_until_it_ends_as_its_authority_was_told() -> None:
    """It ends with its term, or before: nobody has confirmed it, or it was found to be no order."""

    def told(until: str, outcome: str = "preserved") -> dict[str, object]:
        classes = [{"targets": [{"format": "user", "value": "alice@acme.example"}]}]
        return {"demands": [{"outcome": outcome, "preserved_until": until, "classes": classes}]}

    def order(*answers: dict[str, object]) -> Case:
        return Case(authority="us-police", instrument="us/preservation-letter", request={}, answers=list(answers))

    now = datetime(2027, 1, 1, tzinfo=UTC)
    kept = {"alice@acme.example"}

    assert retention.in_force([order(told("2027-02-01T00:00:00Z"))], now) == kept
    assert retention.in_force([order(told("2026-12-01T00:00:00Z"))], now) == set()
    assert (
        retention.in_force([order(told("2027-02-01T00:00:00Z"), told("2027-02-01T00:00:00Z", "refused"))], now) == set()
    )
