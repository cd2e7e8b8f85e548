"""A public log as it was on the relay's disk, read with the tools of an auditor, and the case file behind it."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from blindrelay.clients.auditor.tree import VerifiedTree
from blindrelay.policies.leaves import Commitment, Leaf, Told, parse
from blindrelay.proofs.checks.rows import read
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.policy import Trust
from blindrelay.protocol.transparency.tiles import CHECKPOINT_PATH
from blindrelay.relay.desk.case import Case
from blindrelay.relay.desk.journal import FILE_NAME, Row, Subject
from blindrelay.relay.desk.logged import opening_of
from blindrelay.relay.transparency.assembly import FOLDER, policy_file


class Files:
    """A log's files, as a source of the auditor's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def get(self, path: str, limit: int = 0) -> bytes | None:
        """See `blindrelay.clients.auditor.source.Source`."""
        place = self._folder / path
        return place.read_bytes() if place.is_file() else None


def trust_of(data: Path, name: str) -> Trust:
    """By what the log is verified, as the relay says in its data directory. Raises `OSError`, `Malformed`."""
    return Trust.parse(policy_file(data, name).read_text("utf-8"))


def tree_of(data: Path, name: str, trust: Trust) -> VerifiedTree:
    """The log in a data directory. Raises `OSError`, `Malformed`, `VerificationFailed`."""
    folder = data / FOLDER / name
    return VerifiedTree(Files(folder), trust.open((folder / CHECKPOINT_PATH).read_bytes()).checkpoint)


def head_of(note: bytes, trust: Trust) -> Checkpoint:
    """What a checkpoint says. Raises `Malformed`, `VerificationFailed`."""
    return trust.open(note).checkpoint


async def entries_of(tree: VerifiedTree) -> list[bytes]:
    """All entries of a log, verified. Raises `LogRejected`."""
    return [entry async for _, entry in tree.entries()]


@dataclass(frozen=True, slots=True)
class Opened:
    """A commitment that the relay itself says to be of a row."""

    number: int
    case_id: str
    sequence: int
    salt: bytes


class CaseFile:
    """`desk.sqlite` in a data directory, read with SQLite alone."""

    def __init__(self, data: Path) -> None:
        self._path = data / FILE_NAME

    @cached_property
    def cases(self) -> dict[str, list[Row]]:
        """The rows of each case."""
        found: dict[str, list[Row]] = {}
        names = "case_id, sequence, authority_id, at, step, body, once, digest"
        query = f"SELECT {names} FROM case_event ORDER BY id"  # noqa: S608 - our own names
        for case_id, sequence, authority, at, *rest in read(self._path, query):
            if case_id not in set(Subject):
                row = Row(case_id, sequence, authority, datetime.fromisoformat(at), *rest)
                found.setdefault(case_id, []).append(row)
        return found

    @cached_property
    def openings(self) -> list[Opened]:
        """Which commitments are of which rows."""
        return [Opened(*row) for row in read(self._path, "SELECT number, case_id, sequence, salt FROM log_opening")]

    def commitment(self, row: Row, salt: bytes) -> Commitment | None:
        """What the log must have of a row; None for one that it does not have."""
        opening = opening_of(row.case_id, row.sequence, row.body)
        return None if opening is None else opening.commitment(salt)

    def case_at(self, case_id: str, at: datetime) -> Case | None:
        """A case as it was; None before it came."""
        rows = [row for row in self.cases[case_id] if row.at <= at]
        return Case.restore(rows) if rows else None


def leaf(entry: bytes) -> Leaf | None:
    """An entry of the log `lawful-access`; None for what is none."""
    try:
        return parse(entry)
    except ValueError:
        return None


def told(entries: list[bytes]) -> dict[int, tuple[int, Told]]:
    """What is told of each commitment, and where."""
    found: dict[int, tuple[int, Told]] = {}
    for at, entry in enumerate(entries):
        one = leaf(entry)
        if one is not None and not isinstance(one, Commitment):
            found.setdefault(one.index, (at, one))
    return found


def step_of(row: Row) -> str:
    """What a row is, for people."""
    demand = json.loads(row.body).get("demand")
    return row.step if demand is None else f"{row.step} ({demand})"
