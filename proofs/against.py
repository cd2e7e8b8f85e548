"""Somebody's relay, examined: a copy of what it has on disk, and the checks that a disk can bear out. It is left as it is."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import blindrelay
from blindrelay.proofs.checks.deployed import catalogue
from blindrelay.proofs.checks.deployed.model import Deployment, Part
from blindrelay.proofs.checks.model import Verdict
from blindrelay.proofs.evidence import snapshot
from blindrelay.proofs.processes import AT_ONCE, verdict
from blindrelay.proofs.prove import Proof, Say
from blindrelay.protocol.clock import Clock, SystemClock
from blindrelay.relay import config
from blindrelay.relay.errors import Unreadable

_FILE: Final = "deployment.json"
_MODULE: Final = "blindrelay.proofs.checks.deployed"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom it is about.

    Attributes:
        data: a relay's data directory.
        logs, backups: files of its log, and its backups: files, or folders of such.
        known: texts that have gone through it, of `canary.SHORTEST` bytes or more; empty ones are let be.
        configuration: its configuration, if that is not in the data directory.
    """

    data: Path
    logs: tuple[Path, ...] = ()
    backups: tuple[Path, ...] = ()
    known: tuple[str, ...] = field(default=(), repr=False)
    configuration: Path | None = None


def examine(
    subject: Subject,
    *,
    checks: Sequence[str] = (),
    say: Say = lambda _: None,
    clock: Clock | None = None,
    run: Callable[[Coroutine[Any, Any, list[Verdict]]], list[Verdict]] = asyncio.run,
) -> Proof:
    """Examine it, whether it runs or not.

    Args:
        checks: by name; all that can be carried out when none is named.
        run: how checks, each in a process of its own, are run to their end; whatever cancels them ends those.

    Raises:
        Unreadable, NewerVersion: it is no data directory, or cannot be read; the message says what to do.
        BadConfiguration: its configuration is none.
    """
    began = time.monotonic()
    with copied(subject, clock or SystemClock(), say) as (deployment, folder):
        left_out = catalogue.left_out(deployment)
        names = [name for name in catalogue.NAMES if name not in left_out and (not checks or name in checks)]
        left_out |= {
            name: "nobody has asked for it" for name in catalogue.NAMES if name not in names and name not in left_out
        }
        (folder / _FILE).write_text(deployment.model_dump_json(), encoding="utf-8")
        verdicts = run(_carry_out(folder / _FILE, names, deployment.work, say))
        facts = _facts(subject, deployment)
    at = datetime.fromtimestamp(int(deployment.now), UTC)
    return Proof(
        quick=False, saboteur="", at=at, verdicts=tuple(verdicts), seconds=time.monotonic() - began, facts=facts,
        left_out=left_out, against=deployment.name,
    )  # fmt: skip


async def _carry_out(file: Path, names: Sequence[str], temporary: Path, say: Say) -> list[Verdict]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> Verdict:
        async with turn:
            say(catalogue.find(name).title)
            return await verdict(name, _MODULE, [str(file), name], temporary)

    return list(await asyncio.gather(*map(one, names)))


@contextmanager
def copied(subject: Subject, clock: Clock, say: Say) -> Iterator[tuple[Deployment, Path]]:
    """A copy of it in a folder for its owner alone, which is gone afterwards. Raises as `examine` does."""
    snapshot.check_data_directory(subject.data)
    settings = config.load(subject.data, subject.configuration)
    if settings.store is not None:
        raise Unreadable(
            f"the relay of {subject.data} keeps its data in PostgreSQL, by its configuration: what is in the directory is not "
            "what it works with, and nothing is said about it"
        )
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="blindrelay-against-")))
        (folder / "data").mkdir()
        (folder / "work").mkdir()
        say(f"a copy of {subject.data}")
        passed_over = snapshot.copy_folder(subject.data, folder / "data")
        databases, others = _backups(subject.backups, folder / "backups")
        deployment = Deployment(
            data=folder / "data",
            name=str(subject.data.absolute()),
            now=clock.now(),
            work=folder / "work",
            settings=settings,
            logs=tuple(_parts(subject.logs)),
            databases=databases,
            backups=others,
            known=subject.known,
            passed_over=tuple(passed_over),
        )
        yield deployment, folder


def _parts(paths: Sequence[Path]) -> Iterator[Part]:
    """Files, and those in folders."""
    for path in paths:
        try:
            found = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
            for each in found:
                each.open("rb").close()
        except OSError as error:
            raise Unreadable(f"{error.filename or path} cannot be read: {error.strerror}") from error
        yield from (Part(where=str(each), path=each.absolute()) for each in found)


def _backups(paths: Sequence[Path], into: Path) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Databases, of which copies are made, and other files."""
    databases, others = [], []
    for number, part in enumerate(_parts(paths)):
        if snapshot.is_database(part.path):
            target = into / str(number) / part.path.name
            target.parent.mkdir(parents=True)
            snapshot.copy_database(part.path, target)
            databases.append(Part(where=part.where, path=target))
        elif not part.path.name.endswith(snapshot.BESIDE):
            others.append(part)
    return tuple(databases), tuple(others)


def _facts(subject: Subject, deployment: Deployment) -> dict[str, Any]:
    """What was looked at, in numbers."""
    files = deployment.files()
    return {
        "version": blindrelay.__version__,
        "files": len(files),
        "bytes": sum(part.path.stat().st_size for part in files),
        "files of logs": len(deployment.logs),
        "files of backups": len(deployment.databases) + len(deployment.backups),
        "known texts": sum(map(bool, subject.known)),
    }
