"""Whose records are looked at: a relay's, a trace's, or those of a company that does not exist, where all is known."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Final

from blindrelay.console.errors import ConsoleError
from blindrelay.proofs.traffic.inference import answers, graph, hours
from blindrelay.proofs.traffic.inference.graph import Edge
from blindrelay.proofs.traffic.inference.hours import Day
from blindrelay.proofs.traffic.records import Seen, kept, owner

#: So many records are looked at, the newest.
MAX_RECORDS: Final = 200_000
# A name of a trace that is longer is cut.
_LONGEST: Final = 80
_QUERY: Final = (
    "SELECT s.\"user\" || '@' || s.tenant || '/' || s.device, r.\"user\" || '@' || r.tenant || '/' || r.device, t.accepted_at "
    "FROM traffic t LEFT JOIN device s ON s.account_id = t.sender_id JOIN device r ON r.account_id = t.recipient_id "
    "ORDER BY t.id DESC LIMIT ?"
)
_DAY: Final = 86_400
#: What is earlier is no time of this world's but a trace's own.
_CALENDAR: Final = 946_684_800.0
_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# The company: the numbers are such that each conclusion has something to go on, and that it takes no longer than a page may.
_PEOPLE: Final = 96
_LETTERS: Final = 9_000
_DAYS: Final = 10


class BadTrace(ConsoleError):
    """A file is no trace."""


class NoRecords(ConsoleError):
    """There are none that could be read."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is so, as far as somebody knows it who has more than the records: to hold conclusions against."""

    pairs: set[Edge]
    departments: Mapping[str, str]
    above: Sequence[tuple[str, str]]
    days: Mapping[str, Day]
    answers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Population:
    """Records, in the order of time.

    Attributes:
        standard: with the sender, where one is written down.
        sealed: the same people in the other posture, where none is.
        known: None where nobody knows more than the records say.
        tenant: what all names begin with, and is not shown.
    """

    standard: Sequence[Seen]
    sealed: Sequence[Seen]
    known: Known | None = None
    tenant: str = ""

    def name(self, person: str) -> str:
        """What somebody is called on the page."""
        return person.removeprefix(self.tenant)


def of_relay(database: Path) -> Population:
    """The newest records on a relay's disk. Raises `NoRecords`."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=2)) as connection:
            rows = connection.execute(_QUERY, (MAX_RECORDS,)).fetchall()
    except sqlite3.Error as error:
        raise NoRecords(
            "the relay's records cannot be read: is there a relay, and does it keep its tables here?"
        ) from error
    return _without_names([Seen(float(at), sender, recipient, 0) for sender, recipient, at in reversed(rows)])


def of_trace(text: str) -> Population:
    """A trace: `sender recipient seconds` on each line, in order of time, as for `blindrelay replay`. Raises `BadTrace`."""
    records: list[Seen] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            sender, recipient, seconds = line.split()
            record = Seen(float(seconds), f"{sender[:_LONGEST]}/", f"{recipient[:_LONGEST]}/", 0)
        except ValueError:
            raise BadTrace(f"line {number} of the trace is no `sender recipient seconds`") from None
        if not isfinite(record.at):
            raise BadTrace(f"line {number} of the trace has no time")
        if records and record.at < records[-1].at:
            raise BadTrace(f"line {number} of the trace goes back in time")
        if sender != recipient:
            records.append(record)
        if len(records) > MAX_RECORDS:
            raise BadTrace(f"the trace has more than {MAX_RECORDS:,} records: take a part of it")
    if not records:
        raise BadTrace("there is no message in the trace: expected `sender recipient seconds` on each line")
    return _without_names(records)


def _without_names(records: Sequence[Seen]) -> Population:
    """The same records, had everything come sealed: no names, and nothing else is different."""
    return Population(records, [replace(record, sender=None) for record in records])


def invented(people: int = _PEOPLE, letters: int = _LETTERS, days: int = _DAYS) -> Population:
    """A company that does not exist, whose devices behave as ours do in each posture, receipts, copies and pauses included.

    Raises `NoRecords` where the clients' packages are not there: the habits are theirs.
    """
    try:
        from blindrelay.clients.options import Posture  # noqa: PLC0415 - see above
        from blindrelay.proofs.traffic.inference import institution  # noqa: PLC0415
        from blindrelay.proofs.traffic.model import Model  # noqa: PLC0415
    except ImportError:
        raise NoRecords(
            "an invented company writes as clients do, and their packages are not installed here: pip install "
            "'blindrelay[clients]', or look at this relay's records or at a trace"
        ) from None
    company = institution.invent(people, letters, days, seed=7)
    standard, sealed = (Model(company.scenario, posture).play() for posture in (Posture.STANDARD, Posture.SEALED))
    known = Known(
        graph.true(standard), company.departments, company.above, hours.true(standard), answers.true(standard)
    )
    return Population(kept(standard.seen), kept(sealed.seen), known, tenant=f"{company.boss.partition('/')[0]}/")


def week(records: Sequence[Seen]) -> list[tuple[str, list[int]]]:
    """How many there are on each day of the week and at each hour, with what the day is called: by its name, Monday first, or,
    where the clock is not the world's, by its number."""
    table = [[0] * hours.HOURS for _ in range(7)]
    for record in records:
        table[int(record.at // _DAY) % 7][int(record.at % _DAY // 3_600)] += 1
    if not records or records[0].at < _CALENDAR:
        return [(f"day {number}", row) for number, row in enumerate(table, 1)]
    return [(name, table[(number + 4) % 7]) for number, name in enumerate(_NAMES)]  # the epoch began on a Thursday


def people_of(records: Sequence[Seen]) -> set[str]:
    """Everybody who is in them."""
    return {owner(device) for record in records for device in (record.sender, record.recipient) if device is not None}
