"""What holds in every scenario: what people wrote is found wherever it is, and a grant of more than metadata is seen."""

import base64
import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindrelay.policies.decision import ClassDecision, Decision, DemandDecision
from blindrelay.policies.request import Target, TargetFormat
from blindrelay.policies.vocabulary import DataClass, Outcome, TaskStatus
from blindrelay.proofs.scenarios.comparison import Comparison
from blindrelay.proofs.scenarios.invariants import Sweep, compare_decision

TEXT = "The offer ends on Friday, übermorgen."
ENCODINGS = {
    "plain": lambda text: text.encode(),
    "utf-16": lambda text: text.encode("utf-16-le"),
    "hex": lambda text: text.encode().hex().encode(),
    "HEX": lambda text: text.encode().hex().upper().encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(before=st.binary(max_size=5), behind=st.binary(max_size=5))
def test_a_text_is_found_in_every_form(encoding: str, before: bytes, behind: bytes) -> None:
    """Whatever stands around it."""
    assert Sweep([TEXT]).bytes(before + ENCODINGS[encoding](TEXT) + behind) == [TEXT]


@given(before=st.binary(max_size=7), behind=st.binary(max_size=7))
def test_a_text_is_found_inside_of_base64(before: bytes, behind: bytes) -> None:
    """At whatever place of three it begins."""
    assert Sweep([TEXT]).bytes(base64.b64encode(before + TEXT.encode() + behind)) == [TEXT]


def test_a_text_that_is_not_there_is_not_found() -> None:
    """And what was searched is counted."""
    sweep = Sweep([TEXT])

    assert sweep.bytes(b"the offer ends on friday") == []
    assert sweep.searched == 24


@pytest.mark.parametrize("place", [0, (1 << 20) - 5, 1 << 20, (3 << 20) + 1])
def test_a_text_is_found_anywhere_in_a_large_file(tmp_path: Path, place: int) -> None:
    """Also where two pieces meet, and behind megabytes of zeros."""
    data = bytearray(b"x" * (2 << 20) + bytes(2 << 20))
    data[place : place + len(TEXT.encode())] = TEXT.encode()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(data)

    assert list(Sweep([TEXT]).folder(tmp_path)) == [(tmp_path / "deep" / "file", TEXT)]


def test_a_file_that_has_gone_holds_nothing(tmp_path: Path) -> None:
    """The store's journal comes and goes."""
    assert Sweep([TEXT]).file(tmp_path / "gone") == []


def decision(data_class: DataClass, outcome: Outcome, format_: TargetFormat = TargetFormat.USER) -> Decision:
    """A decision about one class of one target."""
    targets = (Target(format=format_, value="alice@acme.example"),)
    one = ClassDecision(data_class, outcome, None, TaskStatus.DISCLOSED, targets, None, ())
    demand = DemandDecision("d", outcome, None, TaskStatus.DISCLOSED, (one,), ())
    return Decision("r", datetime(2026, 1, 1, tzinfo=UTC), "0", (demand,))


@pytest.mark.parametrize(
    ("made", "held"),
    [
        (decision(DataClass.TRAFFIC, Outcome.GRANTED), True),
        (decision(DataClass.CONTENT, Outcome.REFUSED), True),
        (decision(DataClass.CONTENT, Outcome.GRANTED), False),
        (decision(DataClass.KEYS, Outcome.NARROWED), False),
        (decision(DataClass.TRAFFIC, Outcome.GRANTED, TargetFormat.ALL_USERS), False),
        (decision(DataClass.SUBSCRIBER, Outcome.NARROWED, TargetFormat.TENANT), False),
    ],
)
def test_a_grant_of_content_keys_or_everybody_is_seen(made: Decision, held: bool) -> None:
    """Whatever a scenario expects."""
    comparison = Comparison("always")
    compare_decision(made, comparison)

    assert (comparison.findings == []) is held


def test_a_capability_that_was_granted_is_seen() -> None:
    """A demand without classes discloses nothing; only the service may be granted."""
    granted = decision(DataClass.TRAFFIC, Outcome.GRANTED)
    capability = dataclasses.replace(granted.demands[0], classes=())
    comparison = Comparison("always")
    compare_decision(dataclasses.replace(granted, demands=(capability,)), comparison)

    assert [finding.where for finding in comparison.findings] == ["always.d.discloses"]
