"""Somebody's relay: what a real run has left on disk, to be altered and examined."""

import contextlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from blindrelay.proofs.against import Subject, copied
from blindrelay.proofs.checks.catalogue import find
from blindrelay.proofs.checks.deployed import catalogue
from blindrelay.proofs.checks.model import Verdict, carried_out
from blindrelay.protocol.clock import Clock

_SEALED = ("case_id", "sequence", "authority_id", "at", "step", "body", "once")


@dataclass
class At(Clock):
    """It is always then."""

    then: float

    def now(self) -> float:
        return self.then

    def monotonic(self) -> float:
        return self.then


@dataclass
class Somebody:
    """A relay's data directory, and when it was as it is."""

    data: Path
    now: float

    def sql(self, statement: str, *values: object, database: str = "relay.db") -> list[tuple[Any, ...]]:
        """Carry out a statement, as whoever has the file can; what SQLite itself refuses is no hindrance."""
        with contextlib.closing(sqlite3.connect(self.data / database)) as connection, connection:
            for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f"DROP TRIGGER {trigger}")
            return connection.execute(statement, values).fetchall()

    def desk(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The same in the case file."""
        return self.sql(statement, *values, database="desk.sqlite")

    def edit(self, step: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the first row of a kind that `change` makes another, and seal all rows anew, so that it does not show."""
        for number, body in self.desk("SELECT id, body FROM case_event WHERE step = ? ORDER BY id", step):
            told = json.loads(body)
            change(told)
            if told != json.loads(body):
                altered = json.dumps(told, separators=(",", ":"))
                self.desk("UPDATE case_event SET body = ? WHERE id = ?", altered, number)
                self.seal()
                return
        raise AssertionError(f"there is no row {step!r} that this changes")

    def seal(self) -> None:
        """Make the chain of the case file hold again."""
        previous = "0" * 64
        for number, *values in self.desk(f"SELECT id, {', '.join(_SEALED)} FROM case_event ORDER BY id"):
            digest = sha256(json.dumps([previous, *values], separators=(",", ":")).encode()).hexdigest()
            self.desk("UPDATE case_event SET previous = ?, digest = ? WHERE id = ?", previous, digest, number)
            previous = digest

    def examine(self, check: str, *, later: float = 0.0, **subject: Any) -> Verdict:
        """Carry out one check, `later` seconds afterwards."""
        with copied(Subject(self.data, **subject), At(self.now + later), lambda _: None) as (deployment, _):
            examination = catalogue.find(check)
            assert examination.unfit(deployment) == ""
            return carried_out(find(check), examination.needs, partial(examination.examine, deployment))


def reasons(verdict: Verdict) -> set[str]:
    """For which reasons something was found. A check that could not be carried out has found nothing."""
    assert verdict.error is None
    return {finding.reason for finding in verdict.findings}
