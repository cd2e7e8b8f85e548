"""The whole proof: evidence is made in one process, and each check reads it in another."""

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import blindrelay
from blindrelay.proofs.checks import catalogue
from blindrelay.proofs.checks.deployed import catalogue as deployed
from blindrelay.proofs.checks.model import Lock, Verdict
from blindrelay.proofs.evidence.manifest import FILE, Manifest, Trouble
from blindrelay.proofs.evidence.scope import WHOLE, Scope
from blindrelay.proofs.processes import AT_ONCE, COMPLAINT, everything, room, started, verdict
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.errors import BlindrelayError

#: Told what is being done.
Say = Callable[[str], None]


class ProofFailed(BlindrelayError):
    """There is no proof, for or against: the evidence could not be made. The message says why."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of it.

    Attributes:
        troubles: parts of the run that did not go as they should; of an honest system there are none.
        facts: what the run was, in numbers; the version alone where no check needed a run.
        left_out: checks that were not carried out, each with the reason.
        against: the data directory that was examined; empty for a run.
    """

    quick: bool
    saboteur: str
    at: datetime
    verdicts: tuple[Verdict, ...]
    troubles: tuple[Trouble, ...] = ()
    seconds: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    against: str = ""

    @property
    def passed(self) -> bool:
        """Whether the run was whole, every check was carried out, and none found anything."""
        return not self.troubles and bool(self.verdicts) and all(verdict.passed for verdict in self.verdicts)

    @property
    def conclusion(self) -> str:
        """All of it in a sentence. A disk proves nothing; it can only show that something is wrong."""
        if self.against:
            return "Nothing was found." if self.passed else "Not as it should be."
        return "Nothing came out." if self.passed else "Not proved."

    def title(self, check: str) -> str:
        """What a check does, in a line."""
        return (deployed.find(check) if self.against and check in deployed.NAMES else catalogue.find(check)).title

    def of(self, lock: Lock) -> list[Verdict]:
        """The verdicts about a lock."""
        return [verdict for verdict in self.verdicts if catalogue.find(verdict.check).lock is lock]


async def prove(
    scope: Scope = WHOLE, *, checks: Sequence[str] = (), say: Say = lambda _: None, keep: Path | None = None
) -> Proof:
    """Make evidence and examine it.

    Args:
        scope: what kind of run it is: a quick one takes a minute instead of ten.
        checks: by name; all when none is named. Where none needs a run, none is made.
        keep: an empty folder for the evidence; without one it is gone afterwards. It holds secrets of people who do not exist.

    Raises `ProofFailed`. Cancelling ends every process and leaves nothing behind.
    """
    began = time.monotonic()
    at = datetime.fromtimestamp(int(SystemClock().now()), UTC)
    with contextlib.ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="blindrelay-proof-")))
        run = _Run(folder, scope, stack.enter_context(room()))
        names = list(dict.fromkeys(checks)) or catalogue.NAMES
        verdicts = await _carry_out(run, names, say)
        manifest = Manifest.model_validate_json((folder / FILE).read_bytes()) if (folder / FILE).exists() else None
    return Proof(
        quick=scope.quick,
        saboteur=scope.saboteur,
        at=at,
        verdicts=tuple(verdicts),
        troubles=() if manifest is None else tuple(manifest.troubles),
        seconds=time.monotonic() - began,
        facts={"version": blindrelay.__version__} | ({} if manifest is None else _facts(manifest)),
        left_out={name: "nobody has asked for it" for name in catalogue.NAMES if name not in names},
    )


def _facts(manifest: Manifest) -> dict[str, Any]:
    """What the run was, in numbers."""
    return {
        "enterprises": len(manifest.tenants),
        "devices": len(manifest.devices),
        "letters": len(manifest.letters),
        "letters in the posture `sealed`": sum(letter.sealed for letter in manifest.letters),
        "canaries": len(manifest.canaries),
        "requests": len(manifest.cases),
        "demands": sum(len(case.request["demands"]) for case in manifest.cases),
        "instruments": len({case.instrument for case in manifest.cases}),
        "packages": sum(len(case.packages) for case in manifest.cases),
    }


@dataclass(frozen=True, slots=True)
class _Run:
    """`temporary`: for what is none of the evidence."""

    folder: Path
    scope: Scope
    temporary: Path


async def _carry_out(run: _Run, names: Sequence[str], say: Say) -> list[Verdict]:
    """Make the evidence, beside the checks that need none, and then examine it. A `ProofFailed` ends them all."""
    turn = asyncio.Semaphore(AT_ONCE)
    recorded = asyncio.Event()

    async def one(name: str) -> Verdict:
        check = catalogue.find(name)
        if check.needs_a_run:
            await recorded.wait()
        async with turn:
            say(check.title)
            arguments = [str(run.folder), catalogue.reference(name), *run.scope.options]
            return await verdict(name, "blindrelay.proofs.checks", arguments, run.temporary)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(name)) for name in names]
            if any(catalogue.find(name).needs_a_run for name in names):
                await _record(run, say)
            recorded.set()
    except ExceptionGroup as group_of:
        raise next(error for error in group_of.exceptions if isinstance(error, Exception)) from None
    return [task.result() for task in tasks]


async def _record(run: _Run, say: Say) -> None:
    arguments = [str(run.folder), *run.scope.options]
    async with started("blindrelay.proofs.evidence.record", arguments, run.temporary) as process:
        complaining = asyncio.create_task(everything(process.stderr))
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        async for line in process.stdout:
            say(json.loads(line)["stage"])
        complaint, status = await complaining, await process.wait()
    if not (run.folder / FILE).exists() or status:
        raise ProofFailed(f"the evidence could not be made (exit status {status}):\n{complaint[-COMPLAINT:]}")
