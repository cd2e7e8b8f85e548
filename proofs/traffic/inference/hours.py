"""Who works when: a heat map of hours, for each person."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, owner

HOURS: Final = 24
_HOUR: Final = 3_600.0
#: Hours, from midnight by the clock of the records; how much happened in each.
Day = list[int]


def infer(seen: Iterable[Seen]) -> dict[str, Day]:
    """Person -> when they did something: sent, where senders are written down; otherwise, received."""
    people: dict[str, Day] = {}
    for each in seen:
        person = owner(each.recipient if each.sender is None else each.sender)
        people.setdefault(person, [0] * HOURS)[int(each.at // _HOUR) % HOURS] += 1
    return people


def everybody(days: Mapping[str, Day]) -> Day:
    """All of them together."""
    return [sum(day[hour] for day in days.values()) for hour in range(HOURS)]


def true(traffic: Traffic) -> dict[str, Day]:
    """When people have really written."""
    letters: dict[str, tuple[float, str]] = {}
    for seen, truth in traffic:
        if truth.kind is Kind.LETTER:
            letters.setdefault(truth.letter, (seen.at, owner(truth.sender)))
    people: dict[str, Day] = {}
    for at, person in letters.values():
        people.setdefault(person, [0] * HOURS)[int(at // _HOUR) % HOURS] += 1
    return people


def alike(one: Sequence[int], other: Sequence[int]) -> float:
    """How much of two days is the same: 1 less the total variation distance. 1 for the same shares in each hour."""
    if not sum(one) or not sum(other):
        return 0.0
    return 1 - sum(abs(a / sum(one) - b / sum(other)) for a, b in zip(one, other, strict=True)) / 2


def accuracy(found: Mapping[str, Day], truth: Mapping[str, Day]) -> float:
    """How alike people's days are to what they really were, on average over everything that they have written."""
    weights = {person: sum(day) for person, day in truth.items()}
    total = sum(weights.values())
    nothing = [0] * HOURS
    return (
        sum(alike(found.get(person, nothing), day) * weights[person] for person, day in truth.items()) / total
        if total
        else 0.0
    )


def guess(truth: Mapping[str, Day]) -> float:
    """The same for somebody who takes all hours for equal."""
    return accuracy(dict.fromkeys(truth, [1] * HOURS), truth)
