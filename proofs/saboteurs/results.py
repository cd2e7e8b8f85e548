"""What a matrix has shown, as a file: `proofs/kill-matrix.json` is one.

The page beside it, the README's table and the console are made of nothing else.
"""

import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from blindrelay import __version__
from blindrelay.proofs.checks import catalogue as checks
from blindrelay.proofs.checks.model import Verdict
from blindrelay.proofs.processes import MEMORY
from blindrelay.proofs.prove import Proof
from blindrelay.proofs.saboteurs import catalogue
from blindrelay.proofs.saboteurs.matrix import Plan, Row

#: What a check has to say of a saboteur. `caught`: it found it, for a reason that it has to give; `noticed`: it found something
#: else; `nothing`: it looked, and found nothing; `failed`: it could not be carried out to its end.
Cell = Literal["caught", "noticed", "nothing", "failed"]


class Part(BaseModel):
    """A piece of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CheckFacts(Part):
    """A check: which lock it is about, and everything that it can find, by reason."""

    check: str
    lock: str
    title: str
    reasons: dict[str, str]


class Control(Part):
    """The honest system, run as saboteurs are. `stages`: in these parts of a run; `found`: what was found, which is nothing.

    `at` is when, by the clock of the machine that ran it; `seconds` is how long it took there.
    """

    stages: list[str]
    checks: list[str]
    found: list[str]
    at: datetime
    seconds: float


class Killed(Part):
    """A saboteur, and what became of it.

    Attributes:
        must: the checks that have to find it, each with the reason that it has to give. One of them suffices.
        by, reason, said: the check that caught it, why, and in which words; None when none has.
        cells: what each check that looked has to say.
        error: why it could not be run, if so.
        at, seconds: when it was run, and how long that took, on the machine that ran it.
    """

    saboteur: str
    title: str
    lock: str
    modelled_on: str
    must: list[tuple[str, str]]
    caught: bool
    by: str | None
    reason: str | None
    said: str | None
    cells: dict[str, Cell]
    error: str | None
    at: datetime
    seconds: float

    @classmethod
    def of(cls, row: Row) -> Self:
        """From a row of the matrix."""
        saboteur, killer = row.saboteur, row.killer
        return cls(
            saboteur=saboteur.name,
            title=saboteur.title,
            lock=saboteur.lock.value,
            modelled_on=saboteur.modelled_on,
            must=sorted(saboteur.caught_by),
            caught=row.is_caught,
            by=killer and killer[0],
            reason=killer and killer[1].reason,
            said=killer and without_places(killer[1].text),
            cells={verdict.check: _cell(row, verdict) for verdict in row.verdicts},
            error=row.error and without_places(row.error),
            at=row.at,
            seconds=round(row.seconds, 1),
        )


def without_places(text: str) -> str:
    """Words of a check without where things are on the machine that ran it: that says nothing to anybody elsewhere."""
    places = {
        tempfile.gettempdir(),
        str(MEMORY),
        sys.prefix,
        sys.base_prefix,
        str(Path(__file__).absolute().parents[2]),
        str(Path.home()),
    }
    for place in sorted(places, key=len, reverse=True):
        text = text.replace(place, "...")
    return text


def _cell(row: Row, verdict: Verdict) -> Cell:
    if any((verdict.check, finding.reason) in row.saboteur.caught_by for finding in verdict.findings):
        return "caught"
    if verdict.findings:
        return "noticed"
    return "nothing" if verdict.error is None else "failed"


def control(plan: Plan, proof: Proof) -> Control:
    """From a run of the honest system."""
    found = [
        f"{verdict.check}: {text}"
        for verdict in proof.verdicts
        for text in (*(f"{each.reason}: {each.text}" for each in verdict.findings), *filter(None, [verdict.error]))
    ]
    return Control(
        stages=[*plan.scope.stages], checks=[*plan.checks], found=found, at=proof.at, seconds=round(proof.seconds, 1)
    )


class KillMatrix(Part):
    """The file. `version` is that of Blindrelay; saboteurs are in the order of their names."""

    format: Literal["blindrelay-kill-matrix-1"] = "blindrelay-kill-matrix-1"
    version: str = __version__
    checks: list[CheckFacts]
    honest: list[Control]
    saboteurs: list[Killed]

    @classmethod
    def of(cls, honest: list[Control], saboteurs: list[Killed]) -> Self:
        """With the checks that there are."""
        facts = [
            CheckFacts(check=check.name, lock=check.lock.value, title=check.title, reasons=dict(check.reasons))
            for check in checks.every()
        ]
        return cls(checks=facts, honest=honest, saboteurs=sorted(saboteurs, key=lambda each: each.saboteur))

    def with_checks(self) -> Self:
        """The same with the checks as they are now, and with as many saboteurs as there are."""
        return self.of(self.honest, [each for each in self.saboteurs if each.saboteur in catalogue.names()])

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a file. Raises `OSError`, and `ValueError` when it is none."""
        return cls.model_validate_json(path.read_bytes())

    def __str__(self) -> str:
        """As it is in a file."""
        return self.model_dump_json(indent=1) + "\n"

    def over(self, earlier: Self, names: list[str]) -> Self:
        """These results, and those of before for whom has not been run now. `names`: of the saboteurs that there are."""
        again = {each.saboteur for each in self.saboteurs}
        stages = [each.stages for each in self.honest]
        return self.of(
            [*(each for each in earlier.honest if each.stages not in stages), *self.honest],
            [
                *(each for each in earlier.saboteurs if each.saboteur in names and each.saboteur not in again),
                *self.saboteurs,
            ],
        )
