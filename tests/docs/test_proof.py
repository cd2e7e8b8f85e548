"""The page on the proof's JSON names every field that there is, and no other."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blindrelay.proofs import reports
from blindrelay.proofs.checks.model import Finding, Lock, Measurement, Verdict
from blindrelay.proofs.evidence.manifest import Trouble
from blindrelay.proofs.prove import Proof

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "proof.md").read_text("utf-8")
VERDICT = Verdict("canary", (Finding("log", "it is there"),), measured=(Measurement("links", 0.1, "share", 0.1, 0.3),))
PROOF = Proof(True, "", datetime(2026, 3, 10, tzinfo=UTC), (VERDICT,), (Trouble(stage="talk", error="late"),), 1.0)


def documented(heading: str) -> set[str]:
    """The fields in the table of a section; the first one has no heading of its own."""
    section = PAGE.split("\n## ")[0] if not heading else PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


RECORD: dict[str, Any] = reports.as_json(PROOF)
LOCK = RECORD["locks"][0]
CHECK = LOCK["checks"][0]


@pytest.mark.parametrize(
    ("heading", "record"),
    [
        ("", RECORD),
        ("A lock", LOCK),
        ("A check", CHECK),
        ("A finding", CHECK["findings"][0]),
        ("A measurement", CHECK["measured"][0]),
    ],
)
def test_every_field_is_on_the_page(heading: str, record: dict[str, Any]) -> None:
    """By its name."""
    assert documented(heading) == set(record)


def test_the_small_ones_are_named_too() -> None:
    """Where they stand, and the words that some fields are made of."""
    for record in (*RECORD["troubles"], *RECORD["cannot_see"]):
        assert all(f"`{name}`" in PAGE for name in record)
    assert all(f"`{lock.value}`" in PAGE for lock in Lock)
    assert f"`{RECORD['format']}`" in PAGE
    assert reports.as_json(replace(PROOF, against="/srv/relay"))["against"] == "/srv/relay"
