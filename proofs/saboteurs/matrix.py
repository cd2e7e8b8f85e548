"""The kill matrix: every saboteur against the checks, and which of them found it, for which reason, how fast."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from blindrelay.proofs.checks.model import Finding, Verdict
from blindrelay.proofs.prove import ProofFailed, Say, prove
from blindrelay.proofs.saboteurs.catalogue import find
from blindrelay.proofs.saboteurs.model import Saboteur


@dataclass(frozen=True, slots=True)
class Row:
    """What became of a saboteur.

    Attributes:
        verdicts: of the checks that were run.
        error: why it could not be run, if so.
    """

    saboteur: Saboteur
    verdicts: tuple[Verdict, ...]
    seconds: float
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

    @property
    def noticed_by(self) -> list[str]:
        """Every check that found anything at all."""
        return [verdict.check for verdict in self.verdicts if verdict.findings]

    def record(self) -> dict[str, Any]:
        """For programs."""
        killer = self.killer
        return {
            "saboteur": self.saboteur.name,
            "title": self.saboteur.title,
            "lock": self.saboteur.lock.value,
            "caught": self.is_caught,
            "by": killer and killer[0],
            "reason": killer and killer[1].reason,
            "said": killer and killer[1].text,
            "noticed_by": self.noticed_by,
            "seconds": round(self.seconds, 1),
            "error": self.error,
        }


async def run(name: str, checks: Sequence[str] = (), say: Say = lambda _: None) -> Row:
    """Let one saboteur loose, and examine what comes of it.

    Args:
        checks: by name; without any, those that have to find it.
    """
    saboteur = find(name)
    wanted = checks or sorted({check for check, _ in saboteur.caught_by})
    try:
        proof = await prove(quick=True, checks=wanted, saboteur=name, say=say)
    except ProofFailed as error:
        return Row(saboteur, (), 0.0, str(error))
    return Row(saboteur, proof.verdicts, proof.seconds)


async def run_all(
    names: Sequence[str], checks: Sequence[str], jobs: int, done: Callable[[Row], None], say: Say = lambda _: None
) -> None:
    """Let several loose, `jobs` at once, each in a run of its own; `done` is given each row as it comes."""
    turn = asyncio.Semaphore(jobs)

    async def one(name: str) -> None:
        async with turn:
            done(await run(name, checks, lambda what: say(f"{name}: {what}")))

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(one(name))
