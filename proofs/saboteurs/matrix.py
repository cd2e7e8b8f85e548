"""The kill matrix: every saboteur against the checks, and which of them found it, for which reason, how fast.

A saboteur is let loose in as much of a run as it shows in, and examined by the checks that have to find it. The honest system
is run in just the same way, as a control: what is found there, too, has found nobody.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from blindrelay.proofs.checks import catalogue
from blindrelay.proofs.checks.model import Finding, Verdict
from blindrelay.proofs.evidence.scope import Scope, Stage
from blindrelay.proofs.prove import Proof, ProofFailed, Say, prove
from blindrelay.proofs.saboteurs import placebo
from blindrelay.proofs.saboteurs.catalogue import reference
from blindrelay.proofs.saboteurs.model import Saboteur
from blindrelay.protocol.clock import SystemClock


@dataclass(frozen=True, slots=True)
class Row:
    """What became of a saboteur.

    Attributes:
        verdicts: of the checks that were run.
        at: when it was run.
        error: why it could not be run, if so.
    """

    saboteur: Saboteur
    verdicts: tuple[Verdict, ...]
    seconds: float
    at: datetime
    error: str | None = None

    @property
    def killer(self) -> tuple[str, Finding] | None:
        """A check that found it for the right reason, and what it said; None when there is none."""
        for check, reason in sorted(self.saboteur.caught_by):
            for verdict in self.verdicts:
                if verdict.check == check:
                    for finding in verdict.findings:
                        if finding.reason == reason:
                            return check, finding
        return None

    @property
    def is_caught(self) -> bool:
        """Whether a check found it for the right reason."""
        return self.killer is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """How somebody is run: `scope` without a saboteur, and the checks, by name."""

    scope: Scope
    checks: tuple[str, ...]

    @classmethod
    def whole(cls, saboteur: Saboteur) -> Self:
        """A whole quick run, before every check of ours and those that have to find it."""
        return cls(Scope(quick=True), tuple(dict.fromkeys((*catalogue.NAMES, *saboteur.checks))))

    @classmethod
    def least(cls, saboteur: Saboteur) -> Self:
        """No more than shows a saboteur to the checks that have to find it."""
        checks = [catalogue.find(name) for name in saboteur.checks]
        enough = saboteur.shows_in or {stage for check in checks if check.needs_a_run for stage in check.enough}
        stages = tuple(stage for stage in Stage if stage in enough)
        return cls(Scope(quick=True, stages=stages, reasons=saboteur.reasons), saboteur.checks)

    def with_others(self) -> Self:
        """The same, also before every other check of ours for which these parts of a run are enough."""
        able = (
            check.name for check in catalogue.every() if check.needs_a_run and set(check.enough) <= {*self.scope.stages}
        )
        return replace(self, checks=tuple(dict.fromkeys((*self.checks, *able))))


async def run(saboteur: Saboteur, plan: Plan, say: Say = lambda _: None) -> Row:
    """Let a saboteur loose, and examine what comes of it."""
    at = datetime.fromtimestamp(int(SystemClock().now()), UTC)
    try:
        proof = await prove(replace(plan.scope, saboteur=reference(saboteur.name)), checks=plan.checks, say=say)
    except ProofFailed as error:
        return Row(saboteur, (), 0.0, at, str(error))
    return Row(saboteur, proof.verdicts, proof.seconds, at)


def _union(several: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(sorted({each for one in several for each in one}))


@dataclass(frozen=True, slots=True)
class Matrix:
    """What is run: saboteurs, each with its plan, and the honest system in the same ways."""

    rows: Sequence[tuple[Saboteur, Plan]]

    @property
    def controls(self) -> list[Plan]:
        """Of the honest system: one for all that are run in the same parts of a run."""
        alike: dict[tuple[Stage, ...], list[Plan]] = {}
        for _, plan in self.rows:
            alike.setdefault(plan.scope.stages, []).append(plan)
        return [
            Plan(
                Scope(quick=True, stages=stages, reasons=_union(plan.scope.reasons for plan in plans)),
                _union(plan.checks for plan in plans),
            )
            for stages, plans in alike.items()
        ]

    async def run(
        self, jobs: int, honest: Callable[[Plan, Proof], None] | None, done: Callable[[Row], None], say: Say
    ) -> None:
        """Run all of it, so many at once.

        Args:
            honest: is given each proof of the honest system; None: it is not run.
            done: is given each row, as it comes.

        Raises `ProofFailed` when the honest system cannot be run.
        """
        turn = asyncio.Semaphore(jobs)

        async def control(plan: Plan, told: Callable[[Plan, Proof], None]) -> None:
            scope = replace(plan.scope, saboteur=placebo.FILE)
            async with turn:
                told(plan, await prove(scope, checks=plan.checks, say=lambda what: say(f"honest: {what}")))

        async def row(saboteur: Saboteur, plan: Plan) -> None:
            async with turn:
                done(await run(saboteur, plan, lambda what: say(f"{saboteur.name}: {what}")))

        async with asyncio.TaskGroup() as group:
            for plan in self.controls if honest is not None else ():
                group.create_task(control(plan, honest))  # type: ignore[arg-type]
            for saboteur, plan in self.rows:
                group.create_task(row(saboteur, plan))
