"""A log of requests, put together again: an honest one has no flaw, and each dishonest one is named."""

import json
from datetime import date

import pytest

from blindrelay.clients.auditor.accounting import Account, by_instrument, by_what
from blindrelay.policies.leaves import (
    Accounts,
    Asked,
    Commitment,
    DecisionTold,
    DemandTold,
    Leaf,
    PackageTold,
    ReleaseTold,
    RequestTold,
    SettledTold,
    StreamTold,
    WithdrawalTold,
)
from blindrelay.policies.vocabulary import DataClass, Outcome

CASE, OTHER = "a" * 32, "b" * 32
FEW = Accounts(at_least=1, at_most=9)


def request(index: int, case: str = CASE) -> RequestTold:
    """A request of 10 March."""
    return RequestTold(
        index=index,
        case=case,
        received=date(2026, 3, 10),
        jurisdiction="us",
        instrument="us/d-order",
        emergency=False,
        accounts=FEW,
    )


def decision(index: int, outcome: Outcome = Outcome.GRANTED, case: str = CASE) -> DecisionTold:
    """One demand for traffic, with this outcome."""
    asked = (Asked(what=DataClass.TRAFFIC, outcome=outcome),)
    return DecisionTold(index=index, case=case, demands=(DemandTold(outcome=outcome, ground=None, asked=asked),))


def account_of(*told: Leaf, commitments: int = 8) -> Account:
    """So many commitments, and then these."""
    account = Account()
    entries: list[Leaf] = [Commitment(commitment=f"{number:064x}") for number in range(commitments)]
    for index, entry in enumerate([*entries, *told]):
        account.take(index, entry.encode())
    return account


HONEST = (
    request(0),
    decision(1),
    PackageTold(index=2, case=CASE),
    SettledTold(index=3, case=CASE, seconds=7_200),
    ReleaseTold(index=4, case=CASE, accounts=FEW),
)


def test_an_honest_case_has_no_flaw() -> None:
    """And counts as one request, granted, answered in two hours."""
    account = account_of(*HONEST)
    assert account.check() == []
    assert account.untold == 3
    figures = by_instrument(account.within(date(2026, 3, 1), date(2026, 4, 1)))["us", "us/d-order"]
    assert (figures.requests, figures.outcomes, figures.open, figures.median_hours) == (1, {"granted": 1}, 0, 2.0)
    assert by_what(account.cases.values()) == {("us", "TRAFFIC"): {"granted": 1}}
    assert figures.disclosed == FEW


def test_a_case_belongs_to_the_day_of_its_request() -> None:
    """The first day of a period is in it, the last is not."""
    account = account_of(*HONEST)
    assert account.within(date(2026, 3, 10), date(2026, 3, 11)) != []
    assert account.within(date(2026, 3, 1), date(2026, 3, 10)) == []


def test_the_last_word_counts() -> None:
    """A decision that is taken back, and a withdrawal, replace what was decided before."""
    account = account_of(request(0), decision(1), decision(2, Outcome.REFUSED))
    assert by_what(account.cases.values()) == {("us", "TRAFFIC"): {"refused": 1}}
    demands = decision(0, Outcome.WITHDRAWN).demands
    taken_back = account_of(request(0), decision(1), WithdrawalTold(index=2, case=CASE, demands=demands, seconds=60))
    assert by_what(taken_back.cases.values()) == {("us", "TRAFFIC"): {"withdrawn": 1}}


@pytest.mark.parametrize(
    ("told", "check"),
    [
        ((decision(1), PackageTold(index=2, case=CASE)), "request"),
        ((request(0), PackageTold(index=2, case=CASE)), "decision"),
        ((request(0), decision(3), PackageTold(index=2, case=CASE)), "decision"),
        ((request(0), decision(1, Outcome.REFUSED), PackageTold(index=2, case=CASE)), "decision"),
        ((request(0), decision(1), ReleaseTold(index=4, case=CASE, accounts=FEW)), "package"),
        ((request(0), StreamTold(index=2, case=CASE, ended=False, accounts=FEW)), "decision"),
        ((request(0), request(1)), "request"),
        ((decision(0), request(1)), "request"),
        ((request(0), decision(0)), "told-twice"),
        ((request(99),), "commitment"),
    ],
)
def test_a_dishonest_log_is_named(told: tuple[Leaf, ...], check: str) -> None:
    """A disclosure without request, without a decision that allows it, before it; an entry told of twice, or of nothing."""
    assert check in {flaw.check for flaw in account_of(*told).check()}


def test_what_is_no_entry_is_a_flaw() -> None:
    """Anything else, and what is written in another form."""
    account = Account()
    account.take(0, b"nonsense")
    account.take(1, json.dumps(json.loads(Commitment(commitment="0" * 64).encode()), indent=1).encode())
    assert [flaw.check for flaw in account.check()] == ["form", "form"]


def test_cases_are_kept_apart() -> None:
    """One case's decision allows nothing in another."""
    account = account_of(request(0), decision(1), request(2, OTHER), PackageTold(index=3, case=OTHER))
    assert [flaw.check for flaw in account.check()] == ["decision"]
