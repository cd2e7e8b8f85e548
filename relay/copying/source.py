"""The old side: the data directory of a relay on SQLite that does not run. Nothing in it is changed."""

import contextlib
import sqlite3
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final

from blindrelay.relay.copying.shapes import SHAPES, Row, Shape
from blindrelay.relay.datadir import MOVED, held
from blindrelay.relay.errors import NeedsMigration, TargetNotEmpty, Unreadable
from blindrelay.relay.store.schema import history

_DATABASE: Final = "relay.db"
_DAY: Final = 86_400

# By the name of the sequence on the new side: the highest number that has ever been given, or that an order refers to.
_NUMBERS: Final = {
    "prekey_id_seq": "SELECT max(id) AS last FROM prekey",
    "access_id_seq": "SELECT max(id) AS last FROM access UNION ALL SELECT max(access_up_to) FROM preservation",
    "notice_id_seq": "SELECT max(id) AS last FROM notice UNION ALL SELECT seq FROM sqlite_sequence WHERE name = 'notice'",
    "service_change_id_seq": (
        "SELECT max(id) AS last FROM service_change UNION ALL SELECT seq FROM sqlite_sequence WHERE name = 'service_change'"
    ),
    "traffic_id_seq": (
        "SELECT max(id) AS last FROM traffic UNION ALL SELECT max(traffic_up_to) FROM preservation "
        "UNION ALL SELECT max(checksum >> 32) FROM recent_id"
    ),
    # Account ids: what was given once is never given again.
    "account_block": (
        "SELECT max(account_id) AS last FROM device UNION ALL SELECT seq FROM sqlite_sequence WHERE name = 'device'"
    ),
}


class Source:
    """What is copied, as of one moment. Made by `open_source`."""

    def __init__(self, data: Path, database: sqlite3.Connection) -> None:
        self.data = data
        self._database = database

    def rows(self, shape: Shape) -> Generator[Row]:
        """What there is to be of a table. Raises `Unreadable`: it cannot be read."""
        try:
            yield from shape.rows(self._database)
        except (
            sqlite3.Error,
            TypeError,
        ) as error:  # the latter: what is to be a number is none, and cannot be put in order
            raise Unreadable(f"{shape.name}: {_damaged(self.data, error)}") from error

    def total(self) -> int:
        """About how many rows there are."""
        names = (shape.name for shape in SHAPES)
        return sum(int(self._one(f"SELECT count(*) FROM {name}")) for name in names)  # noqa: S608 - names of ours

    def days(self, now: float) -> list[int]:
        """The days (since the epoch) that there is traffic of, up to some days after `now` (epoch seconds).

        What a wrong clock has dated later is in no day.
        """
        query = "SELECT DISTINCT accepted_at / ? FROM traffic WHERE accepted_at < ?"
        try:
            return sorted(row[0] for row in self._database.execute(query, (_DAY, int(now) + 3 * _DAY)))
        except sqlite3.Error as error:
            raise Unreadable(_damaged(self.data, error)) from error

    def numbers(self) -> dict[str, int]:
        """How far numbering has come, by the name of the sequence on the new side. 0: nothing has been given."""
        return {name: int(self._one(f"SELECT max(last) FROM ({query})") or 0) for name, query in _NUMBERS.items()}  # noqa: S608

    def entries(self, log: str, start: int, count: int) -> list[bytes]:
        """Entries of a log, in order."""
        query = f"SELECT body FROM {log} WHERE number >= ? ORDER BY number LIMIT ?"  # noqa: S608 - a name of ours
        try:
            return [row[0] for row in self._database.execute(query, (start, count))]
        except sqlite3.Error as error:
            raise Unreadable(_damaged(self.data, error)) from error

    def _one(self, query: str) -> Any:
        try:
            return self._database.execute(query).fetchone()[0]
        except sqlite3.Error as error:
            raise Unreadable(_damaged(self.data, error)) from error


@contextlib.contextmanager
def open_source(data: Path, *, moved: bool = False) -> Iterator[Source]:
    """The relay's data in `data`, held so that no relay starts on it. `moved`: even if it has been moved already.

    Raises:
        DataDirectoryInUse: a relay runs on it.
        TargetNotEmpty: it has been moved already.
        NeedsMigration, NewerVersion: its schema is that of another release.
        Unreadable: there is none, or it is damaged.
    """
    path = data / _DATABASE
    if not path.is_file():
        raise Unreadable(f"{data} holds no relay's data: expected {_DATABASE} in it")
    with held(data):
        if not moved:
            _refuse_moved(data)
        try:
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        except sqlite3.Error as error:
            raise Unreadable(_damaged(data, error)) from error
        with contextlib.closing(connection) as database:
            try:
                # Sorts hold rows, which are not to reach files of their own.
                for pragma in ("query_only = ON", "temp_store = MEMORY", "cell_size_check = ON"):
                    database.execute(f"PRAGMA {pragma}")
                database.execute("BEGIN")
                _check(data, database)
            except sqlite3.Error as error:
                raise Unreadable(_damaged(data, error)) from error
            yield Source(data, database)


def _refuse_moved(data: Path) -> None:
    marker = data / MOVED
    if marker.exists():
        raise TargetNotEmpty(
            f"{data} has been moved to {marker.read_text().strip()} before: what is here is older. To copy it all the same, "
            f"delete {marker}"
        )


def _check(data: Path, database: sqlite3.Connection) -> None:
    path = data / _DATABASE
    has_history = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'").fetchone()[0]
    revision = database.execute("SELECT version_num FROM alembic_version").fetchone()[0] if has_history else None
    if not history.check(revision, str(path)):
        raise NeedsMigration(f"{path} has an older release's schema: blindrelay migrate --data-dir {data}")
    problem = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise Unreadable(_damaged(data, problem))


def _damaged(data: Path, why: object) -> str:
    words = " ".join(str(why).split())
    return f"{data / _DATABASE} is damaged ({words}): restore the newest backup, and copy that"
