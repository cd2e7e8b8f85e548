"""The case file on disk: rows are added, each is on stable storage when `append` returns, and each seals those before it.

This module blocks; the desk calls it from threads.
"""

import contextlib
import json
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

import sqlalchemy
from sqlalchemy import func, insert, select, update

from blindrelay.policies.leaves import Commitment, Opening
from blindrelay.relay.desk.errors import AlreadyRecorded, CaseFileDamaged, NotRecorded
from blindrelay.relay.desk.logged import Committed, opening_of
from blindrelay.relay.desk.tables import SCHEMA_VERSION, case_event, log_entry, log_opening, metadata
from blindrelay.relay.errors import NewerVersion, Unreadable
from blindrelay.relay.transparency.entries import AT_ONCE, append, count

FILE_NAME: Final = "desk.sqlite"
_GENESIS: Final = "0" * 64
# The command line enters authorities while the relay runs. Milliseconds.
_LOCK_PATIENCE: Final = 5_000
_SETUP: Final = ("journal_mode = WAL", "synchronous = FULL", f"busy_timeout = {_LOCK_PATIENCE}", "temp_store = MEMORY")


class Subject(StrEnum):
    """What rows are about that belong to no case. A case has a UUID."""

    REGISTER = "register"  #: authorities and operators
    DOOR = "door"  #: what came and was no authenticated request
    LISTS = "lists"  #: what is sent at intervals that a statute sets


_NO_CASES: Final = frozenset(subject.value for subject in Subject)


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `body` is JSON."""

    case_id: str
    sequence: int
    authority_id: str
    at: datetime
    step: str
    body: str
    once: str | None
    digest: str


#: What the log has of a row (its case, its number, its body); None: nothing.
OpeningOf = Callable[[str, int, str], Opening | None]


def _not_logged(_case_id: str, _sequence: int, _body: str) -> None:
    return None


class Journal:
    """An open case file. Safe to be called from several threads; the command line may add rows from another process."""

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open `desk.sqlite` in `folder`, creating it (mode 0600) when there is none.

        Raises:
            NewerVersion: a newer release wrote it.
            Unreadable: it is no such database, or may not be read or written.
            CaseFileDamaged: the chain of its rows does not hold.
        """
        path = folder / FILE_NAME
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        engine = sqlalchemy.create_engine("sqlite://", creator=lambda: _connect(path), poolclass=sqlalchemy.StaticPool)
        sqlalchemy.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        journal = cls(engine)
        try:
            journal._prepare(path)
            journal.verify()
        except (sqlite3.Error, sqlalchemy.exc.DBAPIError) as error:
            journal.close()
            raise Unreadable(f"{path} cannot be read or written as a case file: {error}") from error
        except BaseException:
            journal.close()
            raise
        return journal

    @classmethod
    def open_to_read(cls, folder: Path) -> Self:
        """Open `desk.sqlite` in `folder` for reading alone, whether a relay runs on it or not. Nothing is created or changed.

        Raises:
            Unreadable: there is none, it is no such database, or it may not be read.
            NewerVersion: a newer release wrote it.
            CaseFileDamaged: the chain of its rows does not hold.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            raise Unreadable(f"{path} does not exist: name the data directory of a relay that has a lawful desk")
        engine = sqlalchemy.create_engine("sqlite://", creator=lambda: _read(path), poolclass=sqlalchemy.StaticPool)
        journal = cls(engine)
        try:
            with engine.connect() as connection:
                _check_version(path, int(connection.exec_driver_sql("PRAGMA user_version").scalar_one()))
            journal.verify()
        except (sqlite3.Error, sqlalchemy.exc.DBAPIError) as error:
            journal.close()
            raise Unreadable(f"{path} cannot be read as a case file: {error}") from error
        except BaseException:
            journal.close()
            raise
        return journal

    def _prepare(self, path: Path) -> None:
        with self._engine.begin() as connection:
            version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
            _check_version(path, version)
            metadata.create_all(connection)
            if version == 1:  # without a log
                for row in map(_row, connection.execute(select(case_event).order_by(case_event.c.id)).all()):
                    if row.case_id not in _NO_CASES:
                        _commit(connection, row, opening_of(row.case_id, row.sequence, row.body))
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def append(  # noqa: PLR0913, PLR0917 - the columns of a row
        self,
        case_id: str,
        authority_id: str,
        at: datetime,
        step: str,
        body: str,
        once: str | None = None,
        opening: OpeningOf = _not_logged,
    ) -> Row:
        """Add a row; it is on stable storage on return, and with it its commitment in the public log, if it has an `opening`.

        Raises:
            AlreadyRecorded: a row has this `once`; nothing was added.
            NotRecorded: it could not be written (a full disk, a failing one); nothing was added.
        """
        try:
            with self._lock, self._engine.begin() as connection:
                row = _add(connection, case_id, authority_id, at, step, body, once)
                _commit(connection, row, opening(row.case_id, row.sequence, row.body))
                return row
        except sqlalchemy.exc.IntegrityError as error:
            raise AlreadyRecorded("this has happened before") from error
        except (sqlite3.Error, sqlalchemy.exc.DBAPIError) as error:
            raise NotRecorded("the case file cannot be written, so nothing is done") from error

    def rows(self, case_id: str) -> list[Row]:
        """All rows of a case, in order."""
        return self._read(select(case_event).where(case_event.c.case_id == case_id).order_by(case_event.c.sequence))

    def rows_of(self, authority_id: str, case_id: str) -> list[Row]:
        """All rows of a case of this authority's; none if it is another's, or nobody's. The same work for both."""
        column = case_event.c
        mine = (column.case_id == case_id, column.authority_id == authority_id, column.authority_id != "")
        return self._read(select(case_event).where(*mine).order_by(case_event.c.sequence))

    def last_sequence(self, case_id: str) -> int:
        """The number of the last row of a case; 0 when there is none."""
        with self._lock, self._engine.connect() as connection:
            query = select(func.max(case_event.c.sequence)).where(case_event.c.case_id == case_id)
            return int(connection.execute(query).scalar() or 0)

    def cases(self, *, without: str | None = None) -> list[str]:
        """The ids of all cases, the oldest first; of those alone that have no row of the step `without`."""
        query = (
            select(case_event.c.case_id)
            .where(case_event.c.case_id.not_in([subject.value for subject in Subject]), case_event.c.sequence == 1)
            .order_by(case_event.c.id)
        )
        if without is not None:
            ended = select(case_event.c.case_id).where(case_event.c.step == without)
            query = query.where(case_event.c.case_id.not_in(ended))
        with self._lock, self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def case_of(self, once: str) -> str | None:
        """The case that has the row with this `once`."""
        with self._lock, self._engine.connect() as connection:
            return connection.execute(select(case_event.c.case_id).where(case_event.c.once == once)).scalar()

    def count(self, authority_id: str, step: str, since: datetime, until: datetime) -> int:
        """How many rows of this kind an authority's cases have from `since` up to and with `until`."""
        query = select(func.count()).where(
            case_event.c.authority_id == authority_id,
            case_event.c.step == step,
            case_event.c.at >= moment(since),
            case_event.c.at <= moment(until),
        )
        with self._lock, self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def verify(self) -> str:
        """Go through the chain; return its last digest. Raises `CaseFileDamaged` at the first row that does not fit."""
        previous = _GENESIS
        with self._lock, self._engine.connect() as connection:
            for found in connection.execute(select(case_event).order_by(case_event.c.id)):
                row = found._mapping
                if row["previous"] != previous or row["digest"] != _digest(previous, _sealed(row)):
                    raise CaseFileDamaged(
                        f"row {row['id']} of the case file is not the one that was written: restore {FILE_NAME} "
                        "from a backup, and find out who changed it"
                    )
                previous = row["digest"]
        return previous

    # The log `lawful-access`.

    def log_entries(self, start: int) -> list[bytes]:
        """Its entries from `start` on, `AT_ONCE` at most."""
        number = log_entry.c.number
        query = select(log_entry.c.body).where(number.between(start, start + AT_ONCE - 1)).order_by(number)
        with self._lock, self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def log_size(self) -> int:
        """How many entries it has."""
        with self._lock, self._engine.connect() as connection:
            return count(connection, log_entry)

    def committed(self, case_id: str) -> list[Committed]:
        """The rows of a case that the log has, in order."""
        column = log_opening.c
        query = (
            select(column.number, column.salt, column.told_at, case_event.c.sequence, case_event.c.body)
            .join(case_event, (case_event.c.case_id == column.case_id) & (case_event.c.sequence == column.sequence))
            .where(column.case_id == case_id)
            .order_by(column.number)
        )
        with self._lock, self._engine.connect() as connection:
            found = connection.execute(query).all()
        return [
            Committed(number, salt, opening, told_at is not None)
            for number, salt, told_at, sequence, body in found
            if (opening := opening_of(case_id, sequence, body)) is not None
        ]

    def untold(self) -> list[str]:
        """The cases of which something has not been told."""
        query = select(log_opening.c.case_id).where(log_opening.c.told_at.is_(None)).distinct()
        with self._lock, self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def tell(self, number: int, entry: bytes) -> None:
        """Add the entry that tells of the commitment `number`, once. Raises `NotRecorded`."""
        told = log_opening.c.told_at
        try:
            with self._lock, self._engine.begin() as connection:
                this = (log_opening.c.number == number, told.is_(None))
                if connection.execute(select(log_opening.c.number).where(*this)).first() is not None:
                    index = append(connection, log_entry, entry)
                    connection.execute(update(log_opening).where(*this).values(told_at=index))
        except (sqlite3.Error, sqlalchemy.exc.DBAPIError) as error:
            raise NotRecorded("the log cannot be written") from error

    def decoy(self) -> None:
        """Add a commitment to nothing. Raises `NotRecorded`."""
        try:
            with self._lock, self._engine.begin() as connection:
                append(connection, log_entry, Commitment(commitment=secrets.token_hex(32)).encode())
        except (sqlite3.Error, sqlalchemy.exc.DBAPIError) as error:
            raise NotRecorded("the log cannot be written") from error

    def _read(self, query: sqlalchemy.Select[tuple[object, ...]]) -> list[Row]:
        with self._lock, self._engine.connect() as connection:
            return [_row(row) for row in connection.execute(query)]

    @contextlib.contextmanager
    def raw(self) -> Iterator[sqlalchemy.Connection]:
        """A connection in a transaction, for tables of the desk's that are no case file (what was seen at the door)."""
        with self._lock, self._engine.begin() as connection:
            yield connection


def moment(at: datetime) -> str:
    """How a moment is written down: so that the order of texts is that of moments."""
    return at.isoformat(timespec="microseconds")


def _check_version(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise NewerVersion(
            f"{path} has schema version {version}, and this release reads up to {SCHEMA_VERSION}: "
            "start the newer release that wrote it"
        )


def _read(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False, isolation_level=None
    )
    connection.execute(f"PRAGMA busy_timeout = {_LOCK_PATIENCE}")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    for pragma in _SETUP:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _add(  # noqa: PLR0913, PLR0917 - the columns of a row
    connection: sqlalchemy.Connection,
    case_id: str,
    authority_id: str,
    at: datetime,
    step: str,
    body: str,
    once: str | None,
) -> Row:
    last = select(case_event.c.digest).order_by(case_event.c.id.desc()).limit(1)
    previous = connection.execute(last).scalar() or _GENESIS
    mine = select(func.max(case_event.c.sequence)).where(case_event.c.case_id == case_id)
    sequence = int(connection.execute(mine).scalar() or 0) + 1
    values: dict[str, object] = {
        "case_id": case_id,
        "sequence": sequence,
        "authority_id": authority_id,
        "at": moment(at),
        "step": step,
        "body": body,
        "once": once,
    }
    digest = _digest(previous, list(values.values()))
    connection.execute(insert(case_event).values(**values, previous=previous, digest=digest))
    return Row(case_id, sequence, authority_id, at, step, body, once, digest)


def _commit(connection: sqlalchemy.Connection, row: Row, opening: Opening | None) -> None:
    """Enter a row into the log, if the log has such rows."""
    if opening is not None:
        salt = secrets.token_bytes(32)
        number = append(connection, log_entry, opening.commitment(salt).encode())
        values = {"number": number, "case_id": row.case_id, "sequence": row.sequence, "salt": salt}
        connection.execute(insert(log_opening).values(values))


_SEALED: Final = ("case_id", "sequence", "authority_id", "at", "step", "body", "once")


def _sealed(row: sqlalchemy.RowMapping) -> list[object]:
    return [row[name] for name in _SEALED]


def _digest(previous: str, values: list[object]) -> str:
    # A list of texts, numbers and null has one form in JSON with these separators, so nothing can be moved between columns.
    return sha256(json.dumps([previous, *values], separators=(",", ":")).encode()).hexdigest()


def _row(found: sqlalchemy.Row[tuple[object, ...]]) -> Row:
    row = found._mapping
    return Row(
        row["case_id"],
        row["sequence"],
        row["authority_id"],
        datetime.fromisoformat(row["at"]),
        row["step"],
        row["body"],
        row["once"],
        row["digest"],
    )
