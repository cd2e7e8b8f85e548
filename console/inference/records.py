"""Who wrote to whom, and when: what TrafficRecords are, with people instead of devices."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from blindrelay.console.errors import ConsoleError

#: So many records are looked at, the newest.
MAX_RECORDS: Final = 200_000
_DAY: Final = 86_400.0
_QUERY: Final = (
    'SELECT s."user", s.tenant, r."user", r.tenant, t.accepted_at FROM traffic t '
    "LEFT JOIN device s ON s.account_id = t.sender_id JOIN device r ON r.account_id = t.recipient_id "
    "ORDER BY t.id DESC LIMIT ?"
)


class BadTrace(ConsoleError):
    """A file is no trace."""


@dataclass(frozen=True, slots=True)
class Record:
    """An envelope was accepted. `sender` is None when it came sealed. `at`: seconds."""

    at: float
    sender: str | None
    recipient: str


@dataclass(frozen=True, slots=True)
class Population:
    """Records, and what is known besides, so that guesses can be judged.

    Attributes:
        records: in order of time.
        groups: the true group of each person; empty where nobody knows.
        bosses: the people who have others below them; empty where nobody knows.
    """

    records: Sequence[Record]
    groups: Mapping[str, str] = field(default_factory=dict)
    bosses: frozenset[str] = frozenset()


def of_relay(database: Path) -> Population:
    """The newest records on a relay's disk. Raises `BadTrace` where they cannot be read."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=2)) as connection:
            rows = connection.execute(_QUERY, (MAX_RECORDS,)).fetchall()
    except sqlite3.Error as error:
        raise BadTrace(
            "the relay's records cannot be read: is there a relay, and does it keep its tables here?"
        ) from error
    records = [
        Record(float(at), None if sender is None else f"{sender}@{sender_tenant}", f"{recipient}@{tenant}")
        for sender, sender_tenant, recipient, tenant, at in reversed(rows)
    ]
    return Population([record for record in records if record.sender != record.recipient])


def of_trace(text: str) -> Population:
    """A trace: `sender recipient seconds` on each line, in order of time, as for `blindrelay replay`. Raises `BadTrace`."""
    records: list[Record] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split()
        try:
            sender, recipient, seconds = fields
            record = Record(float(seconds), sender[:80], recipient[:80])
        except ValueError:
            raise BadTrace(f"line {number} of the trace is no `sender recipient seconds`") from None
        if records and record.at < records[-1].at:
            raise BadTrace(f"line {number} of the trace goes back in time")
        if record.sender != record.recipient:
            records.append(record)
        if len(records) > MAX_RECORDS:
            raise BadTrace(f"the trace has more than {MAX_RECORDS:,} records: take a part of it")
    if not records:
        raise BadTrace("there is no message in the trace: expected `sender recipient seconds` on each line")
    return Population(records)


def invented(people: int = 96, messages: int = 9_000, days: int = 10) -> Population:
    """A company that does not exist, with a chief, departments and teams: there one knows who is who.

    It needs the clients' room.
    """
    from blindrelay.clients.simulation.model import DEPARTMENTS, TEAM, Shape, imagine  # noqa: PLC0415 - see above

    tenant = "acme.example"
    scenario = imagine(Shape((tenant,), users=people, messages=messages, hours=24.0 * days, begins=0.0, seed=7))
    names = [person.user for person in scenario.people]
    records = [
        Record(event.at, names[event.sender], names[recipient])
        for event in scenario.events
        for recipient in event.recipients
    ]
    # `sales-17` is the second of the third team of sales; the first of each leads it, and the chief leads the first of all.
    places = {name: (DEPARTMENTS[0], 0) if name == "chief" else _place(name) for name in names}
    groups = {name: f"{department} {place // TEAM}" for name, (department, place) in places.items()}
    return Population(records, groups, frozenset(name for name, (_, place) in places.items() if place % TEAM == 0))


def _place(name: str) -> tuple[str, int]:
    department, _, number = name.partition("-")
    return department, int(number)


def by_hour(records: Sequence[Record]) -> list[list[int]]:
    """How many there are on each day of the week (0 is the first day of the records') and at each hour."""
    table = [[0] * 24 for _ in range(7)]
    for record in records:
        table[int(record.at // _DAY) % 7][int(record.at % _DAY // 3_600)] += 1
    return table
