"""What can be concluded from records, for a page: whose they are, how good it is, and that it stays small."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.console.inference import report
from blindrelay.console.inference.population import BadTrace, NoRecords, invented, of_relay, of_trace, week
from blindrelay.proofs.traffic.records import Seen

#: Three circles of four who write within.
LINES = [
    f"{sender} {recipient} {at}"
    for at, (sender, recipient) in enumerate(
        (a, b) for a in range(12) for b in range(12) if a // 4 == b // 4 and a != b
    )
]


def _by_conclusion(found: dict[str, object]) -> dict[str, dict[str, float]]:
    rows = found["measured"]
    assert isinstance(rows, list)
    return {row["what"]: row for row in rows}


def test_company_is_seen_through_in_standard_and_less_in_sealed() -> None:
    """Held against what is so: better than a guess where it is written down who wrote, and never better without."""
    measured = _by_conclusion(report.make(invented()))

    assert len(measured) == 5
    for row in measured.values():
        assert row["standard"] > row["guess"], row
        assert row["sealed"] <= row["standard"], row
    assert measured["Who writes to whom"]["standard"] == 1.0
    assert measured["Who answers soon"]["sealed"] == 0.5


def test_trace_is_held_against_what_standard_shows() -> None:
    """Nobody knows more of it: so there is no number for standard, and one for what sealed leaves of it."""
    found = report.make(of_trace("\n".join(LINES)))

    assert (found["people"], found["standard"]["groups"]) == (12, 3)
    assert {row["standard"] for row in found["measured"]} == {None}
    assert all(0 <= row["sealed"] <= 1 for row in found["measured"])


def test_sealed_knows_no_sender() -> None:
    """What is concluded without senders is the same whoever sent: nothing of them has slipped in."""
    chance = random.Random(2)
    others = [f"{chance.randrange(12)} {recipient} {at}" for _, recipient, at in map(str.split, LINES)]
    lines = [(one, other) for one, other in zip(LINES, others, strict=True) if other.split()[0] != other.split()[1]]

    honest, changed = (of_trace("\n".join(side)) for side in zip(*lines, strict=True))

    assert honest.standard != changed.standard
    assert honest.sealed == changed.sealed


def test_report_is_small_however_many_there_are() -> None:
    """Records of a thousand people who all write to one another are what a page can draw; what is left out is counted."""
    chance = random.Random(3)
    trace = "\n".join(f"{chance.randrange(1_000)} {chance.randrange(1_000)} {at}" for at in range(20_000))

    found = report.make(of_trace(trace))

    assert len(json.dumps(found)) < 40_000
    for column in (found["standard"], found["without"]):
        assert len(column["nodes"]) == report.NODES
        assert len(column["edges"]) <= report.EDGES
        assert len(column["days"]) == report.DAYS
        assert len(column["nodes"]) + column["others"] <= found["people"]
    assert sum(sum(day["hours"]) for day in found["week"]) == found["records"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no message"),
        ("# a comment\n1 1 0\n", "no message"),
        ("1 2\n", "line 1"),
        ("1 2 0\n1 2 later\n", "line 2"),
        ("1 2 5\n1 2 4\n", "line 2 .* goes back"),
        ("1 2 5\n1 2 nan\n", "line 2"),
        ("1 2 5\n1 2 inf\n", "line 2"),
        ("1 2 nan\n", "line 1"),
    ],
)
def test_what_is_no_trace_is_a_sentence(text: str, complaint: str) -> None:
    """With the line."""
    with pytest.raises(BadTrace, match=complaint):
        of_trace(text)


def test_relay_without_records_is_a_sentence(tmp_path: Path) -> None:
    """Where there is no database."""
    with pytest.raises(NoRecords, match="is there a relay"):
        of_relay(tmp_path / "relay.db")


def test_week_begins_on_monday() -> None:
    """Where the clock is the world's: the 27th of November 2026 was a Friday. A trace from 0 on has days with numbers."""
    days = week([Seen(1_795_780_800.0 + 3_600, None, "a/", 0)])
    assert [name for name, hours in days if sum(hours)] == ["Friday"]
    assert days[0][0] == "Monday"
    assert [name for name, hours in week([Seen(86_400.0, None, "a/", 0)]) if sum(hours)] == ["day 2"]


@given(st.lists(st.floats(0, 1e10), max_size=40))
def test_every_record_has_its_hour(times: list[float]) -> None:
    """None is lost, and none counted twice."""
    records = [Seen(at, "a/", "b/", 0) for at in sorted(times)]
    assert sum(sum(hours) for _, hours in week(records)) == len(records)
