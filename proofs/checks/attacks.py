"""Attacks: what a malicious relay can try against its directory and its logs is tried, and whoever has to notice it does."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import blindrelay
from blindrelay.proofs.attacks import catalogue
from blindrelay.proofs.checks.model import Check, Lock, Report
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.scope import Scope

_ROOT: Final = str(Path(blindrelay.__file__).absolute().parents[1])


class NotTried(Exception):
    """Attacks could not be carried out: nothing is known about them."""


def examine(evidence: Evidence, report: Report) -> None:
    """Each attack is to be noticed by the party and the check that are named for it, before anything is lost."""
    failed = []
    for outcome in _outcomes(evidence.scope):
        name = f"{outcome['attack']}/{outcome['variant']}"
        if "failed" in outcome:
            failed.append(f"{name}: {outcome['failed']}")
            continue
        report.examined("attacks carried out")
        report.examined("checks that noticed one", outcome["caught"])
        if not outcome["caught"]:
            report.find(outcome["attack"], f"{name}: {_came_of(outcome)}")
    if failed:
        raise NotTried(f"{len(failed)} attacks could not be carried out; the first: {failed[0]}")


def _outcomes(scope: Scope) -> Iterator[dict[str, Any]]:
    """Of a process that has the clients as they were in the run."""
    command = [sys.executable, "-m", "blindrelay.proofs.evidence.attacks", *scope.options]
    environment = {**os.environ, "PYTHONPATH": _ROOT}
    # It leaves when its standard input is closed: a check that is ended leaves nobody behind.
    with subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        yield from map(json.loads, process.stdout)
    if process.returncode:
        raise NotTried(f"whoever carries attacks out has left with the status {process.returncode}")


def _came_of(outcome: dict[str, Any]) -> str:
    loss = f"envelopes that left: {outcome['envelopes_that_left']}, loss: {outcome['loss']}"
    if outcome["check"] is None:
        return f"nobody has noticed. {outcome['does']} ({loss})"
    return (
        f"it was noticed by {outcome['noticed_by']} by the check {outcome['check']!r}, and not as it must be ({loss})"
    )


CHECK: Final = Check(
    name="attacks",
    lock=Lock.ACCOUNTABILITY,
    title="ghost devices, substituted keys, split views and rewritten logs are noticed before a letter is lost",
    reasons={attack.name: attack.title for attack in catalogue.every()},
    needs=("attacks carried out", "checks that noticed one"),
    needs_a_run=False,
    examine=examine,
)
