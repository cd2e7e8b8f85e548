"""What has more in it than its form is found."""

import json

import pytest

from support.somebody import Somebody, reasons


@pytest.mark.parametrize(
    ("database", "column"),
    [
        ("relay.db", "notice.body"),
        ("relay.db", "directory_entry.body"),
        ("relay.db", "device.statement"),
        ("relay.db", "prekey.body"),
        ("desk.sqlite", "log_entry.body"),
    ],
)
def test_a_field_more(database: str, column: str, delivered: Somebody) -> None:
    """In anything that is told, published or handed out."""
    table, _, name = column.partition(".")
    ((rowid, body),) = delivered.sql(f"SELECT rowid, {name} FROM {table} LIMIT 1", database=database)
    altered = json.dumps({**json.loads(body), "remark": "Lunch at noon"}, sort_keys=True, separators=(",", ":"))
    delivered.sql(f"UPDATE {table} SET {name} = ? WHERE rowid = ?", altered.encode(), rowid, database=database)

    verdict = delivered.examine("forms")

    assert reasons(verdict) == {"not-canonical"}
    assert len(verdict.findings) == 1
    assert column in verdict.findings[0].text
    assert "Lunch" not in verdict.findings[0].text


def test_another_form_of_the_same(delivered: Somebody) -> None:
    """A space is a bit."""
    ((rowid, body),) = delivered.sql("SELECT rowid, body FROM notice LIMIT 1")
    delivered.sql("UPDATE notice SET body = ? WHERE rowid = ?", bytes(body) + b" ", rowid)

    assert reasons(delivered.examine("forms")) == {"not-canonical"}


def test_a_row_of_a_case_with_more_in_it(delivered: Somebody) -> None:
    """Though its chain holds."""
    delivered.edit("approved", lambda body: body.update(remark="Lunch at noon"))

    verdict = delivered.examine("forms")

    assert reasons(verdict) == {"not-canonical"}
    assert "remark" in verdict.findings[0].text


@pytest.mark.parametrize(
    "change",
    ["filler = CAST(zeroblob(71) || X'01' AS BLOB)", "payload = CAST(payload || X'01' AS BLOB)", "size = size + 1"],
)
def test_something_beside_a_sealed_envelope(change: str, waiting: Somebody) -> None:
    """In what is zeros, or in a size that is none of the buckets."""
    waiting.sql(f"UPDATE envelope SET {change} WHERE sequence = (SELECT max(sequence) FROM envelope)")

    assert reasons(waiting.examine("forms")) == {"not-canonical"}


@pytest.mark.parametrize("change", ["size = 1025", "message_id = CAST(message_id || X'01' AS BLOB)"])
def test_something_in_a_traffic_record(change: str, waiting: Somebody) -> None:
    """A size says more than its bucket, an id more than sixteen bytes."""
    waiting.sql(f"UPDATE traffic SET {change} WHERE id = (SELECT max(id) FROM traffic)")

    assert reasons(waiting.examine("forms")) == {"not-canonical"}


@pytest.mark.parametrize("content", [b"", b"BLRSEAL\x01", b"Lunch at noon" * 200])
def test_a_package_that_is_not_sealed(content: bytes, delivered: Somebody) -> None:
    """Whatever it is, it is readable."""
    next((delivered.data / "packages").rglob("*.package")).write_bytes(content)

    verdict = delivered.examine("forms")

    assert reasons(verdict) == {"not-canonical"}
    assert "is no sealed package" in verdict.findings[0].text
