"""What a check writes down, and what is left of it after it has come from another process."""

import json
from dataclasses import asdict
from datetime import UTC, datetime

import pytest
from rich.console import Console

from blindrelay.cli.prove_views import measured
from blindrelay.cli.prove_views import show as show_proof
from blindrelay.proofs.checks.model import Measurement, Report, Verdict
from blindrelay.proofs.processes import verdict_of
from blindrelay.proofs.prove import Proof

LINKED = Measurement("senders linked, sealed", 0.25, "share", guess=0.01, limit=0.5)


def verdict() -> Verdict:
    """Of a check that found something, and measured something."""
    report = Report({"linked": "somebody was linked"})
    report.examined("letters", 3)
    report.find("linked", "alice is known")
    report.measure(LINKED)
    return report.verdict("wire", 0.5)


def test_a_reason_has_to_be_declared() -> None:
    """Nothing is found for a reason that nobody can look up."""
    with pytest.raises(KeyError):
        Report({}).find("linked", "alice is known")


def test_a_verdict_survives_the_way_between_processes() -> None:
    """Findings and numbers alike."""
    assert verdict_of(json.loads(json.dumps(asdict(verdict())))) == verdict()


def test_a_number_is_no_finding() -> None:
    """What is measured is told, whether or not something was found."""
    report = Report({})
    report.measure(LINKED)

    assert report.verdict("wire", 0.5).passed
    assert report.verdict("wire", 0.5).measured == (LINKED,)


def test_a_number_stands_beside_what_it_is_held_against() -> None:
    """With the guess, the limit and where it comes from; a unit where it has one."""
    assert measured(LINKED) == "senders linked, sealed: 0.25 (guessing 0.01, limit 0.5, relay)"
    assert measured(Measurement("size", 1.5, "bits", source="model")) == "size: 1.5 bits (model)"


def test_numbers_are_on_the_terminal() -> None:
    """Under the check that measured them."""
    facts = dict.fromkeys(
        ("enterprises", "devices", "letters", "requests", "demands", "instruments", "packages", "canaries"), 1
    )
    proof = Proof(True, "", datetime(2026, 1, 1, tzinfo=UTC), (verdict(),), facts=facts)
    output = Console(width=200)
    with output.capture() as shown:
        show_proof(output, proof)

    assert measured(LINKED) in shown.get()
