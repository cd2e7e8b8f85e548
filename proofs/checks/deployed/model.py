"""What is examined of somebody's relay, and how a check of it is written.

A check of the proof that a data directory can bear out has a module of its name here, with an `EXAMINATION`. It finds for the
reasons of that check.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from blindrelay.proofs.checks.model import Report
from blindrelay.relay.config import Settings


class Part(BaseModel):
    """A file. `where`: what it is called for people; `path`: where a copy of it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    where: str
    path: Path


class Deployment(BaseModel):
    """Somebody's relay, as it is on disk.

    Attributes:
        data: a copy of its data directory.
        name: what that is called for people.
        now: when the copy was made; seconds since the epoch.
        work: an empty folder, for what a check has to write.
        logs: files of its logs. `databases`, `backups`: its backups, those that are databases and others.
        known: texts that somebody has sent through it, to be looked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path
    name: str
    now: float
    work: Path
    settings: Settings
    logs: tuple[Part, ...] = ()
    databases: tuple[Part, ...] = ()
    backups: tuple[Part, ...] = ()
    known: Annotated[tuple[str, ...], Field(repr=False)] = ()
    passed_over: tuple[str, ...] = ()

    @property
    def database(self) -> Path:
        """The relay's own."""
        return self.data / "relay.db"

    @property
    def case_file(self) -> Path:
        """The lawful desk's, which may not be there."""
        return self.data / "desk.sqlite"

    def files(self) -> list[Part]:
        """Everything in the data directory."""
        found = sorted(path for path in self.data.rglob("*") if path.is_file())
        return [Part(where=path.relative_to(self.data).as_posix(), path=path) for path in found]


@dataclass(frozen=True, slots=True)
class Examination:
    """How a check examines somebody's relay.

    Attributes:
        title: what it does here, in a line.
        needs: what it must have examined, by the names that it counts under: a check of nothing is no check.
        examine: does it. Whatever it raises makes the verdict an error.
        unfit: why it cannot examine this relay; empty if it can.
    """

    title: str
    needs: tuple[str, ...]
    examine: Callable[[Deployment, Report], None]
    unfit: Callable[[Deployment], str] = lambda _: ""
