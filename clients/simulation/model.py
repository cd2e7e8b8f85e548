"""An invented enterprise: who is in it, and how they write to one another. The same seed gives the same scenario.

**The organisation.** Each tenant has a chief, departments with a head, and teams of `TEAM` people with a lead. Every
person reports to one other.

**The day.** Time is the scenario's own clock, beginning at `Shape.begins` o'clock. How much is begun at a time of day
follows `DAY`: nearly nothing at night, most in the middle of the morning, a dip at lunch. How much a person begins is
log-normal: a few write most.

**What they write.** A letter that somebody begins goes to one person (`TO_ONE`) or, as a mail, to a few people, a team or,
rarely, a department. Whom it goes to: the own team, the line above and below, the rest of the tenant, another tenant
(`PARTNERS`). Every recipient answers with probability `ANSWERS`, after a log-normal delay of minutes, which some people's pace
makes shorter and others' longer, and answers beget answers: that is where bursts come from. Now and then (`INCIDENTS` a day and
tenant) something happens, and a team writes to one another for half an hour, everybody several times.

The numbers are ours, chosen to look like the published ones (few recipients mostly, heavy-tailed activity, answers within
minutes); they are not measured on anyone.
"""

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from blindrelay.clients.simulation.events import Event, Scenario
from blindrelay.protocol.address import UserAddress

TEAM: Final = 8
TEAMS_PER_DEPARTMENT: Final = 4
DEPARTMENTS: Final = ("sales", "engineering", "operations", "finance", "legal", "research", "support", "marketing")

#: How much is begun at an hour of the day, relative to the busiest; linear in between.
DAY: Final = (
    *((hour, 0.02) for hour in (0, 6)),
    (8, 0.5),
    (10, 1.0),
    (12, 0.8),
    (12.75, 0.35),
    (14, 0.9),
    (16, 0.8),
    (18, 0.25),
    (22, 0.05),
    (24, 0.02),
)
TO_ONE: Final = 0.72
TO_A_FEW: Final = 0.2  # to 2 to 5 people
TO_TEAM: Final = 0.07  # the rest, 1 in 100, goes to a department
#: Own team, line above and below, own tenant, another tenant.
PARTNERS: Final = (0.55, 0.2, 0.15, 0.1)
ANSWERS: Final = 0.35
ANSWER_DELAY: Final = (math.log(240), 1.1)  # seconds: median of 4 minutes; 1 in 10 after more than 16
#: How much people differ in how soon they answer: the delay is multiplied by e to this power, for one standard deviation.
PACE_SIGMA: Final = 0.8
ACTIVITY_SIGMA: Final = 0.9
INCIDENTS: Final = 1.5
INCIDENT_SECONDS: Final = 1_800.0
INCIDENT_LETTERS: Final = 3  # begun by each member of the team
HOUR: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Shape:
    """What the user chooses.

    Attributes:
        tenants: the enterprises' names, see `tenant_names`.
        users: how many people there are in all; at least two in each enterprise.
        messages: how many messages there are to be, within a fan-out.
        hours: how long it goes on, on the scenario's clock.
        begins: hour of the day at which it begins.
        seed: everything else follows from it.
    """

    tenants: tuple[str, ...]
    users: int
    messages: int
    hours: float
    begins: float = 8.0
    seed: int = 1


@dataclass(slots=True)
class _Person:
    place: int
    tenant: str
    team: list[int]
    department: list[int]
    line: list[int]  # whom they report to, and who reports to them


def imagine(shape: Shape) -> Scenario:
    """The scenario of this shape.

    Raises:
        ValueError: no tenants, fewer than two people for each, or nothing to do.
    """
    if not shape.tenants or shape.users < 2 * len(shape.tenants):
        raise ValueError(f"{shape.users} people in {len(shape.tenants)} tenants: expected at least two in each")
    if shape.messages < 1 or not shape.hours > 0:
        raise ValueError("expected at least one message and a time in which to send it")
    chance = random.Random(shape.seed)  # noqa: S311  a scenario is to be repeatable, not secret
    people, colleagues = _organisation(shape)
    events = _Day(shape, colleagues, chance).events()
    return Scenario(tuple(people), tuple(events))


def _organisation(shape: Shape) -> tuple[list[UserAddress], list[_Person]]:
    people: list[UserAddress] = []
    colleagues: list[_Person] = []
    for number, tenant in enumerate(shape.tenants):
        size, odd = divmod(shape.users, len(shape.tenants))
        _tenant(tenant, size + (number < odd), people, colleagues)
    return people, colleagues


def _tenant(tenant: str, size: int, people: list[UserAddress], colleagues: list[_Person]) -> None:
    first = len(people)
    department_size = TEAM * TEAMS_PER_DEPARTMENT
    for number in range(size):
        department, within = divmod(number, department_size)
        name = f"{DEPARTMENTS[department % len(DEPARTMENTS)]}{department // len(DEPARTMENTS) or ''}-{within}"
        people.append(UserAddress(tenant, "chief" if number == 0 else name))
        start = first + department * department_size
        team_start = start + within // TEAM * TEAM
        end = first + size
        colleagues.append(
            _Person(
                place=first + number,
                tenant=tenant,
                team=list(range(team_start, min(team_start + TEAM, end))),
                department=list(range(start, min(start + department_size, end))),
                line=[],
            )
        )
    for person in colleagues[first:]:
        lead, head = person.team[0], person.department[0]
        superior = lead if person.place != lead else head if lead != head else first
        if superior != person.place:
            person.line.append(superior)
            colleagues[superior].line.append(person.place)


def tenant_names(count: int, suffix: str = "") -> tuple[str, ...]:
    """Names for `count` tenants; `suffix` tells the tenants of one run from those of another on the same relay."""
    names = ("acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "tyrell")
    return tuple(f"{names[n % len(names)]}{n // len(names) or ''}{suffix}.example" for n in range(count))


class _Day:
    def __init__(self, shape: Shape, people: list[_Person], chance: random.Random) -> None:
        self._shape = shape
        self._people = people
        self._chance = chance
        self._end = shape.hours * HOUR
        self._by_tenant: dict[str, list[int]] = {}
        for person in people:
            self._by_tenant.setdefault(person.tenant, []).append(person.place)
        self._activity = list(accumulate(chance.lognormvariate(0, ACTIVITY_SIGMA) for _ in people))
        self._pace = [chance.lognormvariate(0, PACE_SIGMA) for _ in people]
        self._waiting: list[tuple[float, int, int, tuple[int, ...]]] = []
        self._pushed = 0

    def events(self) -> list[Event]:
        """As many letters as it takes: what people begin is drawn until, with all answers, there are messages enough."""
        for incident in self._incidents():
            self._push(*incident)
        chosen: list[Event] = []
        left = self._shape.messages
        while left > 0:
            if not self._waiting:
                self._begin(max(1, left // 4))
            letter = heapq.heappop(self._waiting)
            event = Event(letter[0], letter[2], letter[3][:left])
            left -= len(event.recipients)
            chosen.append(event)
            self._answer(event)
        return sorted(chosen, key=lambda event: event.at)

    def _begin(self, letters: int) -> None:
        places = range(len(self._people))
        for sender in self._chance.choices(places, cum_weights=self._activity, k=letters):
            self._push(self._moment(), sender, self._addressees(self._people[sender]))

    def _push(self, at: float, sender: int, recipients: tuple[int, ...]) -> None:
        self._pushed += 1  # makes entries of one moment comparable, and their order that of their making
        heapq.heappush(self._waiting, (at, self._pushed, sender, recipients))

    def _moment(self) -> float:
        while True:  # rejection sampling under the day's curve
            at = self._chance.uniform(0, self._end)
            if self._chance.random() <= busyness(self._shape.begins + at / HOUR):
                return at

    def _answer(self, event: Event) -> None:
        for writer in event.recipients:
            # A letter to many is answered by few, and to its sender alone.
            if self._chance.random() < ANSWERS / math.sqrt(len(event.recipients)):
                at = event.at + self._pace[writer] * self._chance.lognormvariate(*ANSWER_DELAY)
                if at < self._end:
                    self._push(at, writer, (event.sender,))

    def _addressees(self, person: _Person) -> tuple[int, ...]:
        kind = self._chance.random()
        if kind < TO_ONE:
            return (self._partner(person),)
        if kind < TO_ONE + TO_A_FEW:
            return tuple(dict.fromkeys(self._partner(person) for _ in range(self._chance.randint(2, 5))))
        many = person.team if kind < TO_ONE + TO_A_FEW + TO_TEAM else person.department
        return tuple(place for place in many if place != person.place) or (self._partner(person),)

    def _partner(self, person: _Person) -> int:
        own = self._by_tenant[person.tenant]
        circles = [person.team, person.line, own, range(len(self._people))]
        circle = self._chance.choices(circles, PARTNERS)[0]
        for candidates in (circle, own):
            others = [place for place in candidates if place != person.place]
            if others:
                return self._chance.choice(others)
        raise AssertionError("a tenant has at least two people")

    def _incidents(self) -> Iterator[tuple[float, int, tuple[int, ...]]]:
        for places in self._by_tenant.values():
            expected = INCIDENTS * self._shape.hours / 24
            for _ in range(int(expected) + (self._chance.random() < expected % 1)):
                team = self._people[self._chance.choice(places)].team
                begin = self._moment()
                for member in team * INCIDENT_LETTERS:
                    at = begin + self._chance.uniform(0, INCIDENT_SECONDS)
                    others = tuple(place for place in team if place != member)
                    if at < self._end and others:
                        yield at, member, others


def busyness(hour: float) -> float:
    """How much is begun at this hour (any number; a day has 24), from 0 to 1."""
    hour %= 24
    for (before, low), (after, high) in pairwise(DAY):
        if hour <= after:
            return low + (high - low) * (hour - before) / (after - before)
    raise AssertionError("the day ends at 24")
