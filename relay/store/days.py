"""Traffic records by the day, where the engine has them so: with PostgreSQL each day is a partition, and goes as a whole.

A record outlives its window by a day at most there: a day goes when its last second has passed the window. With SQLite there
are no partitions, and rows are deleted.
"""

from typing import Final

from sqlalchemy import Connection

_DAY: Final = 86_400
# How many days are made ahead: a relay whose purge job did not run for so long still has a day to write into.
_AHEAD: Final = 3


def has_days(connection: Connection) -> bool:
    """Whether there are partitions."""
    return connection.dialect.name == "postgresql"


def are_made(connection: Connection, now: int) -> bool:
    """Whether there are days for the records of now (epoch seconds) and of the time to come."""
    return bool(connection.exec_driver_sql("SELECT to_regclass(%s)", (f"traffic_d{now // _DAY + _AHEAD}",)).scalar())


def make_days(connection: Connection, now: int) -> None:
    """See to it that there are."""
    today = now // _DAY
    connection.exec_driver_sql("SELECT make_traffic_days(%s, %s)", (today - 1, today + _AHEAD))


def have_ended(connection: Connection, before: int) -> bool:
    """Whether there is anything for `drop_days` to do."""
    query = (
        "SELECT EXISTS (SELECT FROM traffic_other WHERE accepted_at < %s) OR EXISTS ("
        "SELECT FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'traffic'::regclass "
        "AND relname ~ '^traffic_d[0-9]+$' AND (substr(relname, 10)::bigint + 1) * 86400 <= %s)"
    )
    return bool(connection.exec_driver_sql(query, (before, before)).scalar())


def drop_days(connection: Connection, before: int, now: int) -> int:
    """Drop the days that are over at `before`, but for what a preservation order keeps at `now`; how many records went."""
    return int(connection.exec_driver_sql("SELECT drop_traffic(%s, %s)", (before, now)).scalar_one())
