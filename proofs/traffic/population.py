"""An invented institution that writes as a real one did, by its figures; the letters themselves are nobody's.

The figures are of the first 150 days of *email-Eu-core-temporal* (Paranjape, Benson, Leskovec: Motifs in Temporal Networks,
WSDM 2017; 816 people of a European research institution, 53,679 letters to 83,083 recipients). A test holds what is invented
here to them.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, log
from typing import Final

from blindrelay.clients.simulation.events import Event, Scenario
from blindrelay.protocol.address import UserAddress

#: Letters, for each person and working day, that answer nothing: with the answers they are 0.61.
BEGUN_A_DAY: Final = 0.45
#: How many recipients those have: the share of each number. With the answers, which go to one, 83 % of all go to one.
FAN_OUT: Final = {1: 0.765, 2: 0.111, 3: 0.044, 4: 0.024, 5: 0.014, 6: 0.011, 7: 0.006, 8: 0.003, 12: 0.022}
#: Standard deviation of the logarithm of how much somebody writes: a few write most.
ACTIVITY: Final = 1.9
#: Of the letters to three or more, the share that goes to a circle that is written to again.
CIRCLES: Final = 0.6
#: Of what somebody writes, five correspondents get 68 %: weights of a Zipf distribution over `PARTNERS`.
PARTNERS: Final = 14
CONCENTRATION: Final = 1.1
#: Recipients who answer; with what comes by chance, 23 % of messages are followed by one back within a day. And after how long:
#: logarithm of seconds, its mean and standard deviation.
ANSWERED: Final = 0.19
ANSWER: Final = (log(4_650), 1.9)
#: The share of letters in each hour of a working day.
HOURS: Final = (
    0.004, 0.002, 0.002, 0.001, 0.002, 0.012, 0.038, 0.084, 0.113, 0.113, 0.104, 0.1,
    0.105, 0.101, 0.081, 0.045, 0.029, 0.017, 0.012, 0.011, 0.007, 0.008, 0.005, 0.004,
)  # fmt: skip
DAY: Final = 86_400.0
HOUR: Final = 3_600.0


@dataclass(slots=True)
class _Person:
    partners: list[int]
    weights: list[float]
    circles: list[tuple[int, ...]]


def invent(people: int, days: int, seed: int, *, rate: float = 1.0) -> Scenario:
    """What `people` write in so many working days; `rate`: how many times as much as they did there.

    Raises `ValueError` for fewer than 20 people: circles and correspondents need that many.
    """
    if people < 20:
        raise ValueError(f"{people} people: expected 20 at least")
    chance = random.Random(seed)  # noqa: S311 - it is to be repeatable, not secret
    institution = [_Person([], [], []) for _ in range(people)]
    for place, person in enumerate(institution):
        _acquaint(place, person, institution, chance)
    _gather(institution, chance)
    letters = sorted(_letters(institution, days, rate, chance), key=lambda event: event.at)
    return Scenario(tuple(UserAddress("acme.example", f"p{place}") for place in range(people)), tuple(letters))


def _acquaint(place: int, person: _Person, institution: list[_Person], chance: random.Random) -> None:
    """Correspondents: mostly those who have one as theirs, too, then near ones (a department), then anybody."""
    people = len(institution)
    mutual = [other for other in range(place) if place in institution[other].partners]
    near = [(place + step) % people for step in range(-15, 16) if step]
    wanted = mutual + chance.sample(near, min(8, len(near))) + chance.sample(range(people), 4)
    person.partners = [other for other in dict.fromkeys(wanted) if other != place][:PARTNERS]
    chance.shuffle(person.partners)
    person.weights = list(accumulate(1 / (rank + 1) ** CONCENTRATION for rank in range(len(person.partners))))


def _gather(institution: list[_Person], chance: random.Random) -> None:
    """Circles: some people who are near, whom each member writes to all at once."""
    sizes = [size for size in FAN_OUT if size >= 3]
    shares = [FAN_OUT[size] for size in sizes]
    for first in range(0, len(institution), 4):
        size = chance.choices(sizes, shares)[0] + 1
        near = [(first + step) % len(institution) for step in range(-12, 13)]
        circle = tuple(sorted(chance.sample(near, min(size, len(set(near))))))
        for member in circle:
            institution[member].circles.append(circle)


def _letters(institution: list[_Person], days: int, rate: float, chance: random.Random) -> Iterator[Event]:
    activity = [chance.lognormvariate(0, ACTIVITY) for _ in institution]
    cumulated = list(accumulate(activity))
    begun = ceil(BEGUN_A_DAY * rate * len(institution) * days)
    waiting: list[tuple[float, int, tuple[int, ...]]] = []
    for sender in chance.choices(range(len(institution)), cum_weights=cumulated, k=begun):
        hour = chance.choices(range(24), HOURS)[0]
        at = chance.randrange(days) * DAY + (hour + chance.random()) * HOUR
        heapq.heappush(waiting, (at, sender, _addressees(sender, institution[sender], chance)))
    while waiting:
        at, sender, recipients = heapq.heappop(waiting)
        yield Event(at, sender, recipients)
        for writer in recipients:
            # Who begins little answers little: a half of everybody's answers on average.
            if chance.random() < 2 * ANSWERED * activity[writer] / (1 + activity[writer]):
                later = at + chance.lognormvariate(*ANSWER)
                if later < days * DAY:
                    heapq.heappush(waiting, (later, writer, (sender,)))


def _addressees(sender: int, person: _Person, chance: random.Random) -> tuple[int, ...]:
    count = chance.choices(list(FAN_OUT), list(FAN_OUT.values()))[0]
    if count >= 3 and person.circles and chance.random() < CIRCLES:
        return tuple(other for other in chance.choice(person.circles) if other != sender)
    found: dict[int, None] = {}
    while len(found) < min(count, len(person.partners)):
        found[chance.choices(person.partners, cum_weights=person.weights)[0]] = None
    return tuple(found)
