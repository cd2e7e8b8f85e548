"""The transparency report: what authorities asked for in a period, and what came of it, counted from the case file alone.

What is counted is requests that were authenticated. What could not be is a number of its own; tests of an authority's are left
out. A request belongs to the period in which it was received; what came of it is what holds when the report is made, so that a
later report of the same period may say more.

What may not be told is not in any cell. A request about which the relay has to be silent, by an order that has no end or whose
end has not come, is counted in one place: a band of 250, from 0 on, for the whole report, which is printed whether there are
such requests or not. (Bands are what 50 USC 1874 lets a recipient of national security process publish.) When the silence ends,
the request moves into its cells.

Accounts are people: small numbers of them are given as a range.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Final, Self

from blindrelay.policies.decision import DemandDecision
from blindrelay.policies.request import CapabilityDemand, DataDemand, LawfulRequest, ServiceDemand
from blindrelay.policies.vocabulary import DataClass, Ground, Outcome, Scope, Urgency
from blindrelay.relay.desk.case import Case
from blindrelay.relay.desk.journal import Journal, Row, Subject

#: The width of a band of requests that may not be counted exactly.
SILENT_BAND: Final = 250
#: Fewer accounts than this, and more than none, are a range: who knows of a request could tell whom else it concerned.
FEW_ACCOUNTS: Final = 10
#: What is no data class, in the table of what was asked for.
CAPABILITY, SERVICE = "CAPABILITY", "SERVICE"


@dataclass(frozen=True, slots=True)
class Band:
    """From `at_least` up to and with `at_most`. An exact number has both alike."""

    at_least: int
    at_most: int

    @classmethod
    def of_accounts(cls, count: int) -> Self:
        """A number of accounts, as exactly as it is given."""
        return cls(1, FEW_ACCOUNTS - 1) if 0 < count < FEW_ACCOUNTS else cls(count, count)

    @classmethod
    def of_silence(cls, count: int) -> Self:
        """The band of 250 that `count` is in."""
        start = count // SILENT_BAND * SILENT_BAND
        return cls(start, start + SILENT_BAND - 1)

    def __str__(self) -> str:
        return str(self.at_least) if self.at_least == self.at_most else f"{self.at_least}-{self.at_most}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One request, as far as it is counted.

    Attributes:
        is_silent: it may not be told of, when the report is made.
        asked: what of, each with what came of it: a data class, `CAPABILITY` or `SERVICE`.
        demands: outcome and ground of each demand.
        specified: accounts that were named. disclosed: accounts of which records were handed over, or streamed.
        hours: from receipt until every demand had its end; None while one has none.
    """

    jurisdiction: str
    instrument: str
    is_emergency: bool
    is_silent: bool
    asked: tuple[tuple[str, Outcome], ...]
    demands: tuple[tuple[Outcome, Ground | None], ...]
    specified: frozenset[str]
    disclosed: frozenset[str]
    hours: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """The requests under one instrument."""

    jurisdiction: str
    instrument: str
    requests: int
    emergencies: int
    accounts_specified: Band
    accounts_disclosed: Band
    outcomes: Mapping[Outcome, int]  #: of demands
    grounds: Mapping[Ground, int]  #: of demands that were refused, wholly or in part
    open: int  #: requests of which a demand has no end yet
    median_hours: float | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of one data class, capability or service demand, in one jurisdiction."""

    jurisdiction: str
    what: str
    outcomes: Mapping[Outcome, int]


@dataclass(frozen=True, slots=True)
class Report:
    """A transparency report. `relay` is the relay's id; the period is from `since` up to and without `until`."""

    relay: str
    since: datetime
    until: datetime
    made_at: datetime
    lines: tuple[Line, ...]
    asked: tuple[Asked, ...]
    silent: Band
    turned_away: int
    released: Band = field(default=Band(0, 0))  #: accounts of which records were handed over, everywhere
    median_hours: float | None = None

    @property
    def requests(self) -> int:
        """All that are told of."""
        return sum(line.requests for line in self.lines)

    def by_jurisdiction(self) -> dict[str, int]:
        """Requests that are told of."""
        counts: Counter[str] = Counter()
        for line in self.lines:
            counts[line.jurisdiction] += line.requests
        return dict(sorted(counts.items()))

    def outcomes(self, jurisdiction: str | None = None) -> dict[Outcome, int]:
        """What came of demands, of one jurisdiction or all, in the order of `Outcome`."""
        counts: Counter[Outcome] = Counter()
        for line in self.lines:
            if jurisdiction in {None, line.jurisdiction}:
                counts.update(line.outcomes)
        return {outcome: counts[outcome] for outcome in Outcome if counts[outcome]}


def read(folder: Path) -> tuple[list[Case], list[Row]]:
    """The cases of a relay's data directory, and the rows about what was turned away. The relay may be running, or not.

    Raises:
        Unreadable, NewerVersion, CaseFileDamaged: see `Journal.open_to_read`.
    """
    journal = Journal.open_to_read(folder)
    try:
        cases = [Case.restore(journal.rows(case_id)) for case_id in journal.cases()]
        return cases, journal.rows(Subject.DOOR)
    finally:
        journal.close()


def is_silent(case: Case, now: datetime) -> bool:
    """Whether the law forbids to tell of a case at `now`."""
    order = case.request.authorisation.non_disclosure
    if order is not None and (order.until is None or order.until > now):
        return True
    # By the statute itself, for an instrument that has silence built in.
    return case.decision is not None and case.decision.notice_is_open and order is None


def entry(case: Case, now: datetime) -> Entry:
    """What is counted of a case."""
    authorisation = case.request.authorisation
    verdicts = case.verdicts()
    settled = case.settled_at
    return Entry(
        jurisdiction=authorisation.jurisdiction,
        instrument=authorisation.instrument,
        is_emergency=authorisation.urgency is Urgency.EMERGENCY,
        is_silent=is_silent(case, now),
        asked=tuple(item for verdict in verdicts for item in asked(case, verdict)),
        demands=tuple((verdict.outcome, verdict.ground) for verdict in verdicts),
        specified=specified(case.request),
        disclosed=disclosed(case),
        hours=None if settled is None else (settled - case.received_at).total_seconds() / 3_600,
    )


def make(  # noqa: PLR0913 - whose report, of what, of when
    cases: Iterable[Case], turned_away: Iterable[Row], *, relay: str, since: datetime, until: datetime, now: datetime
) -> Report:
    """The report of a period, as it may be told at `now`."""
    entries = [entry(case, now) for case in cases if since <= case.received_at < until and not case.is_test]
    told = [one for one in entries if not one.is_silent]
    keys = sorted({(one.jurisdiction, one.instrument) for one in told})
    return Report(
        relay=relay,
        since=since,
        until=until,
        made_at=now,
        lines=tuple(_line(key, [one for one in told if (one.jurisdiction, one.instrument) == key]) for key in keys),
        asked=tuple(_table(told)),
        silent=Band.of_silence(len(entries) - len(told)),
        turned_away=sum(since <= row.at < until for row in turned_away),
        released=Band.of_accounts(len(frozenset[str]().union(*(one.disclosed for one in told)))),
        median_hours=_median(told),
    )


def asked(case: Case, verdict: DemandDecision) -> Iterable[tuple[str, Outcome]]:
    """What a demand asked for, each thing with what came of it."""
    match case.demand(verdict.demand_id):
        case DataDemand():
            yield from ((item.data_class.value, item.outcome) for item in verdict.classes)
        case CapabilityDemand():
            yield CAPABILITY, verdict.outcome
        case ServiceDemand():
            yield SERVICE, verdict.outcome


def specified(request: LawfulRequest) -> frozenset[str]:
    """The accounts that a request names."""
    return frozenset(
        target.value
        for demand in request.demands
        if isinstance(demand, DataDemand) and demand.scope is Scope.ACCOUNTS
        for target in demand.targets
    )


def disclosed(case: Case) -> frozenset[str]:
    """The targets of what was carried out: made into a package that was handed over, or streamed."""
    carried = [
        verdict
        for demand_id, verdict in case.carried.items()
        if demand_id in case.released or verdict.stream is not None
    ]
    return frozenset(
        target.value
        for verdict in carried
        for item in verdict.classes
        if item.outcome.discloses
        for target in item.targets
    )


def _line(key: tuple[str, str], entries: list[Entry]) -> Line:
    outcomes = Counter(outcome for one in entries for outcome, _ in one.demands)
    grounds = Counter(ground for one in entries for _, ground in one.demands if ground is not None)
    return Line(
        jurisdiction=key[0],
        instrument=key[1],
        requests=len(entries),
        emergencies=sum(one.is_emergency for one in entries),
        accounts_specified=Band.of_accounts(len(frozenset[str]().union(*(one.specified for one in entries)))),
        accounts_disclosed=Band.of_accounts(len(frozenset[str]().union(*(one.disclosed for one in entries)))),
        outcomes={outcome: outcomes[outcome] for outcome in Outcome if outcomes[outcome]},
        grounds={ground: grounds[ground] for ground in Ground if grounds[ground]},
        open=sum(one.hours is None for one in entries),
        median_hours=_median(entries),
    )


def _table(entries: list[Entry]) -> Iterable[Asked]:
    order = [*(each.value for each in DataClass), CAPABILITY, SERVICE]
    for jurisdiction in sorted({one.jurisdiction for one in entries}):
        counts: dict[str, Counter[Outcome]] = {}
        for one in entries:
            if one.jurisdiction == jurisdiction:
                for what, outcome in one.asked:
                    counts.setdefault(what, Counter())[outcome] += 1
        for what in sorted(counts, key=order.index):
            yield Asked(
                jurisdiction,
                what,
                {outcome: counts[what][outcome] for outcome in Outcome if counts[what][outcome]},
            )


def _median(entries: Iterable[Entry]) -> float | None:
    hours = [one.hours for one in entries if one.hours is not None]
    return round(median(hours), 1) if hours else None
