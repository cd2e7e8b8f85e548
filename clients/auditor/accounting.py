"""What the log `lawful-access` itself says of a period: its cases put together again, and counted as a transparency report is.

Nothing of the relay's is asked here but the entries; a report that says something else is contradicted by its own log.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from statistics import median
from typing import Final

from blindrelay.policies import leaves
from blindrelay.policies.leaves import (
    Accounts,
    Commitment,
    DecisionTold,
    DemandTold,
    PackageTold,
    ReleaseTold,
    RequestTold,
    SettledTold,
    StreamTold,
    Told,
    WithdrawalTold,
)
from blindrelay.protocol.errors import Malformed

_NOBODY: Final = Accounts(at_least=0, at_most=0)


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that the log of an honest relay has not. `check` names what it contradicts, `index` is where it shows."""

    check: str
    index: int
    reason: str


@dataclass(slots=True)
class CaseAccount:
    """One case, as far as it has been told of. `told` has what was told, each with the index of its commitment."""

    label: str
    told: list[Told] = field(default_factory=list)

    def all(self, kind: type[Told]) -> list[Told]:
        """What was told of this kind, in the order in which it happened."""
        return sorted((each for each in self.told if isinstance(each, kind)), key=lambda each: each.index)

    @property
    def request(self) -> RequestTold | None:
        """The request; None while only other things have been told."""
        return next((each for each in self.told if isinstance(each, RequestTold)), None)

    @property
    def demands(self) -> tuple[DemandTold, ...]:
        """What came of each demand, by the last word on it."""
        found = [each for each in self.told if isinstance(each, DecisionTold | WithdrawalTold)]
        return max(found, key=lambda each: each.index).demands if found else ()

    @property
    def seconds(self) -> int | None:
        """How long it took until every demand had its end; None: one has none."""
        ends = [each.seconds for each in self.told if isinstance(each, SettledTold | WithdrawalTold)]
        return max(ends, default=None)

    @property
    def disclosed(self) -> Accounts:
        """Of how many accounts records have left."""
        found = [each for each in self.told if isinstance(each, ReleaseTold | StreamTold)]
        return max(found, key=lambda each: each.index).accounts if found else _NOBODY


class Account:
    """Takes the entries of a log, in their order: `take` each, then `check`.

    Attributes:
        cases: by label.
        commitments: how many there are; decoys, and what must not be told of, among them.
        flaws: what was found to be wrong.
    """

    def __init__(self) -> None:
        self.cases: dict[str, CaseAccount] = {}
        self.commitments: dict[int, str] = {}
        self.flaws: list[Flaw] = []
        self._told: dict[int, int] = {}  # commitment -> by which entry

    @property
    def untold(self) -> int:
        """How many commitments nobody has been told of."""
        return len(self.commitments) - len(self._told)

    def take(self, index: int, data: bytes) -> None:
        """The entry at `index`."""
        try:
            entry = leaves.parse(data)
        except Malformed as error:
            self.flaws.append(Flaw("form", index, str(error)))
            return
        if isinstance(entry, Commitment):
            self.commitments[index] = entry.commitment
        elif entry.index not in self.commitments:
            self.flaws.append(Flaw("commitment", index, f"it tells of {entry.index}, which is no commitment before it"))
        elif entry.index in self._told:
            by = self._told[entry.index]
            self.flaws.append(Flaw("told-twice", index, f"{entry.index} has been told of before, by {by}"))
        else:
            self._told[entry.index] = index
            self.cases.setdefault(entry.case, CaseAccount(entry.case)).told.append(entry)

    def check(self) -> list[Flaw]:
        """All that is wrong: each disclosure has its request and a decision that allows it before it, and no case has two."""
        found = list(self.flaws)
        for case in self.cases.values():
            found += _check_order(case)
        return sorted(found, key=lambda flaw: flaw.index)

    def within(self, since: date, until: date) -> list[CaseAccount]:
        """The cases whose request was received from `since` up to and without `until`."""
        return [case for case in self.cases.values() if case.request and since <= case.request.received < until]


def _check_order(case: CaseAccount) -> Iterable[Flaw]:
    requests = case.all(RequestTold)
    first = min(case.told, key=lambda each: each.index)
    if len(requests) != 1 or first is not requests[0]:
        yield Flaw("request", first.index, f"the case {case.label} does not begin with its one request")
    decided = [each.index for each in case.all(DecisionTold) if _allows(each)]
    for each in (*case.all(PackageTold), *case.all(ReleaseTold), *case.all(StreamTold)):
        if not any(index < each.index for index in decided):
            yield Flaw(
                "decision",
                each.index,
                f"a {each.kind} of the case {case.label} has no decision before it that allows it",
            )
    packages = case.all(PackageTold)
    for each in case.all(ReleaseTold):
        if not any(package.index < each.index for package in packages):
            yield Flaw("package", each.index, f"the case {case.label} handed over a package that was never made")


def _allows(decision: Told) -> bool:
    return isinstance(decision, DecisionTold) and any(demand.outcome.discloses for demand in decision.demands)


# The figures of a report, as `relay.desk.pages.as_json` has them.


@dataclass(frozen=True, slots=True)
class Figures:
    """What the log says of one instrument."""

    requests: int
    emergencies: int
    open: int
    outcomes: Mapping[str, int]
    grounds: Mapping[str, int]
    median_hours: float | None
    specified: Accounts
    disclosed: Accounts


def by_instrument(cases: Iterable[CaseAccount]) -> dict[tuple[str, str], Figures]:
    """The figures, by jurisdiction and instrument."""
    grouped: dict[tuple[str, str], list[tuple[CaseAccount, RequestTold]]] = {}
    for case in cases:
        if (request := case.request) is not None:
            grouped.setdefault((request.jurisdiction, request.instrument), []).append((case, request))
    return {key: _figures(found) for key, found in sorted(grouped.items())}


def by_what(cases: Iterable[CaseAccount]) -> dict[tuple[str, str], Mapping[str, int]]:
    """What came of what was asked for, by jurisdiction and data class (or what is none)."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for case in cases:
        if (request := case.request) is not None:
            for asked in (one for demand in case.demands for one in demand.asked):
                counts.setdefault((request.jurisdiction, str(asked.what)), Counter())[asked.outcome.value] += 1
    return dict(counts)


def hours(cases: Iterable[CaseAccount]) -> float | None:
    """The median time to answer."""
    found = [case.seconds / 3_600 for case in cases if case.seconds is not None]
    return round(median(found), 1) if found else None


def most(accounts: Iterable[Accounts]) -> Accounts:
    """How many accounts there are at least and at most in all: the same one may be in several cases."""
    found = list(accounts)
    return Accounts(
        at_least=max((each.at_least for each in found), default=0), at_most=sum(each.at_most for each in found)
    )


def _figures(found: list[tuple[CaseAccount, RequestTold]]) -> Figures:
    cases = [case for case, _ in found]
    demands = [demand for case in cases for demand in case.demands]
    return Figures(
        requests=len(found),
        emergencies=sum(request.emergency for _, request in found),
        open=sum(case.seconds is None for case in cases),
        outcomes=Counter(demand.outcome.value for demand in demands),
        grounds=Counter(demand.ground.value for demand in demands if demand.ground is not None),
        median_hours=hours(cases),
        specified=most(request.accounts for _, request in found),
        disclosed=most(case.disclosed for case in cases),
    )
