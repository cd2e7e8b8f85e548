"""Reconciliation: what an authority was told is what the case file has."""

import json
from pathlib import Path
from typing import Any

import pytest

from blindrelay.proofs.checks import reconciliation
from blindrelay.proofs.checks.reconciliation import File
from blindrelay.proofs.evidence.manifest import Case
from support.proofs import reasons, report_for

ID = "0b9c3f3e-6f0a-4f3e-9a0e-0d2b7f3c1a55"


def demands(**outcomes: str) -> dict[str, Any]:
    """A decision, or what was told of it: the outcome of each demand."""
    return {
        "state": "decided",
        "demands": [
            {"demand_id": name, "outcome": outcome, "ground": None, "classes": []} for name, outcome in outcomes.items()
        ],
    }


def case_file(*decisions: dict[str, Any]) -> File:
    """With a request and these decisions."""
    found = File(Path("nowhere"))
    steps = [("received", {"request": {}}), *(("decided", {"decision": each}) for each in decisions)]
    vars(found)["rows"] = [{"case_id": ID, "step": step, "body": json.dumps(body)} for step, body in steps]
    return found


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (demands(stored="granted", preserve="preserved"), []),
        (demands(stored="refused", preserve="fraud-suspected"), []),
        (demands(stored="granted", preserve="refused"), ["edited"]),
        (demands(stored="granted", other="granted"), ["edited"]),
    ],
    ids=["the first decision", "what was final, and the second decision", "never decided", "never asked for"],
)
def test_what_was_told_of_a_demand_is_what_was_decided_of_it(told: dict[str, Any], found: list[str]) -> None:
    """By some decision: what was refused once stays refused when the rest is decided again."""
    file = case_file(
        demands(stored="granted", preserve="preserved"),
        demands(stored="refused", preserve="preserved"),
        demands(stored="fraud-suspected", preserve="fraud-suspected"),
    )
    report = report_for("reconciliation")

    reconciliation._case(Case(authority="a", instrument="i", request={}, case_id=ID, answers=[told]), file, report)

    assert reasons(report) == found


@pytest.mark.parametrize("data_class", ["SUBSCRIBER", "ACCESS", "TRAFFIC"])
def test_a_run_in_which_no_package_had_a_class_is_no_pass(data_class: str) -> None:
    """Nobody would have looked at whose connections are given, and of when."""
    report = report_for("reconciliation")
    for what in set(reconciliation.CHECK.needs) - {f"records of {data_class}"}:
        report.examined(what)
    assert report.missing(reconciliation.CHECK.needs) == [f"records of {data_class}"]
