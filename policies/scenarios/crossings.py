"""Whether what a scenario names exists: people, instruments, cases, letters, variants, and an order of time."""

from collections.abc import Iterator
from typing import TypeAlias

from blindrelay.policies.scenarios.model import Scenario
from blindrelay.policies.scenarios.steps import DataAsk, Demand, Letter, Step

#: Where in the document, as keys and positions, and what is wrong there.
Path: TypeAlias = tuple[str | int, ...]
Problem: TypeAlias = tuple[Path, str]


def problems(scenario: Scenario) -> list[Problem]:
    """Everything that is named and is not there; empty for a scenario that can be run."""
    return [
        *_people(scenario),
        *_order(scenario),
        *_variants(scenario),
        *_demands(scenario),
        *(problem for variant in scenario.runs() for problem in _names_in_steps(scenario, variant)),
    ]


def _unknown(what: str, name: str, known: object) -> str:
    names = ", ".join(sorted(map(str, known))) if isinstance(known, list | set | dict | tuple | frozenset) else ""
    return f"there is no {what} {name!r}; there is {names or 'none'}"


def _people(scenario: Scenario) -> Iterator[Problem]:
    people = {f"{user}@{tenant.name}" for tenant in scenario.tenants for user in tenant.users}
    letters = [(("traffic", n), letter) for n, letter in enumerate(scenario.traffic)]
    sends = [(("steps", n, "send"), step.send) for n, step in enumerate(scenario.steps) if step.send]
    ids: set[str] = set()
    for path, letter in [*letters, *sends]:
        for key, user in (("from", letter.sender), ("to", letter.to)):
            if user not in people:
                yield (*path, key), _unknown("user", user, people)
        if letter.id in ids:
            yield (*path, "id"), f"there is another letter {letter.id!r}"
        ids.add(letter.id)
    for number, step in enumerate(scenario.steps):
        for user in set(step.collect) - people:
            yield ("steps", number, "collect"), _unknown("user", user, people)
        for user in set(step.expect.notices) - people:
            yield ("steps", number, "expect", "notices", user), _unknown("user", user, people)
        for name in set(step.expect.mail) - ids:
            yield ("steps", number, "expect", "mail", name), _unknown("letter", name, ids)


def _order(scenario: Scenario) -> Iterator[Problem]:
    for variant in scenario.runs():
        before = scenario.start
        for number, moment, _ in scenario.steps_of(variant):
            if moment < before:
                stands = f"{before.isoformat()}, where the clock stands"
                yield ("steps", number, "at"), f"{moment.isoformat()} is before {stands}{_in(variant)}"
            before = max(before, moment)
    for number, letter in enumerate(scenario.traffic):
        if letter.at < scenario.start:
            yield ("traffic", number, "at"), "is before the start of the scenario"


def _variants(scenario: Scenario) -> Iterator[Problem]:
    pieces: list[tuple[str, tuple[Step | Letter, ...]]] = [("steps", scenario.steps), ("traffic", scenario.traffic)]
    for key, those in pieces:
        for number, piece in enumerate(those):
            for name in set(piece.only_in) - set(scenario.variants):
                yield (key, number, "only_in"), _unknown("variant", name, scenario.variants)
    for number, step in enumerate(scenario.steps):
        for name in set(step.sources) - set(scenario.sources):
            yield ("steps", number, "sources"), _unknown("source", name, scenario.sources)


def _demands(scenario: Scenario) -> Iterator[Problem]:
    people = scenario.operator.people
    for number, step in enumerate(scenario.steps):
        path: Path = ("steps", number)
        if step.demand:
            yield from _demand(scenario, step.demand, (*path, "demand"))
        by = [
            *(step.approve.by if step.approve else ()),
            *(one.by for one in (step.reject, step.event, step.operate) if one and one.by),
        ]
        for name in set(by) - set(people):
            yield (*path, step.actions[0], "by"), _unknown("person of the operator's", name, people)


def _demand(scenario: Scenario, demand: Demand, path: Path) -> Iterator[Problem]:
    if demand.by not in scenario.authorities:
        yield (*path, "by"), _unknown("authority", demand.by, scenario.authorities)
    elif demand.officer is None and not scenario.authorities[demand.by].officers:
        yield (*path, "officer"), f"{demand.by} has no officer who is enrolled: say who asks"
    if isinstance(demand.under, str) and demand.under not in scenario.instruments:
        yield (*path, "under"), _unknown("instrument", demand.under, scenario.instruments)
    ids = [ask.id for ask in demand.asks]
    if len(set(ids)) != len(ids):
        yield (*path, "asks"), "two demands have the same id"


def _asked(step: Step) -> set[str]:
    return {f"{step.demand.case}/{ask.id}" for ask in step.demand.asks} if step.demand else set()


def _in(variant: str | None) -> str:
    return f" (variant {variant})" if variant else ""


def _names_in_steps(scenario: Scenario, variant: str | None) -> Iterator[Problem]:
    """Cases and demands, each known from the step on that hands it in."""
    cases: set[str] = set()
    demands: set[str] = set()
    for number, _, step in scenario.steps_of(variant):
        path: Path = ("steps", number)
        if step.demand:
            yield from _continues(step.demand, demands, path)
            if step.demand.case in cases:
                yield (*path, "demand", "case"), f"there is another case {step.demand.case!r}{_in(variant)}"
            cases.add(step.demand.case)
            demands |= _asked(step)
        for name in _wanted_cases(step) - cases:
            yield path, _unknown("case", name, cases) + _in(variant)
        for name in _wanted_demands(step) - demands:
            yield path, _unknown("demand", name, demands) + _in(variant)


def _wanted_cases(step: Step) -> set[str]:
    named = {step.withdraw, step.event.case if step.event else None} - {None}
    return {*step.expect.cases, *(name for name in named if name)}


def _wanted_demands(step: Step) -> set[str]:
    wanted = {*step.expect.decisions, *step.expect.packages, *step.expect.streams}
    wanted |= {one.demand for one in (step.approve, step.reject) if one}
    if step.event and step.event.demand:
        wanted.add(f"{step.event.case}/{step.event.demand}")
    return wanted


def _continues(demand: Demand, demands: set[str], path: Path) -> Iterator[Problem]:
    for ask in demand.asks:
        if isinstance(ask, DataAsk) and ask.continues and ask.continues not in demands:
            yield (*path, "demand", "asks"), _unknown("demand", ask.continues, demands)
