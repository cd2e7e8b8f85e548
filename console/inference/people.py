"""How fast people answer, and who is the boss: whom those write to whom many write, and who gets most (compare Rowe, Creamer,
Hershkop, Stolfo: Automated Social Hierarchy Detection through Email Network Analysis, 2007)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final

from blindrelay.console.inference import graph
from blindrelay.console.inference.records import Record

#: What comes later is no answer. Seconds.
_ANSWER: Final = 86_400.0
#: Of fewer answers nothing is concluded.
_FEWEST: Final = 3


def answers(records: Iterable[Record]) -> tuple[dict[str, float], dict[str, float]]:
    """After how many seconds, half of the time, somebody answers; and after how many somebody is answered."""
    waiting: dict[tuple[str, str], float] = {}
    own: dict[str, list[float]] = defaultdict(list)
    others: dict[str, list[float]] = defaultdict(list)
    for record in records:
        if record.sender is None:
            continue
        asked = waiting.pop((record.recipient, record.sender), None)
        if asked is not None and record.at - asked <= _ANSWER:
            own[record.sender].append(record.at - asked)
            others[record.recipient].append(record.at - asked)
        waiting.setdefault((record.sender, record.recipient), record.at)
    return _medians(own), _medians(others)


def _medians(delays: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {person: median(each) for person, each in delays.items() if len(each) >= _FEWEST}


def bosses(records: Sequence[Record]) -> dict[str, float]:
    """How likely each is somebody's boss, from 0 to 1: the mean of their places by importance and by what they receive."""
    important, busy = _places(graph.importance(graph.directed(records))), busiest(records)
    return {person: (important.get(person, 0.0) + place) / 2 for person, place in busy.items()}


def busiest(records: Iterable[Record]) -> dict[str, float]:
    """The same from recipients alone: who gets most is taken for the boss."""
    return _places({person: float(count) for person, count in Counter(each.recipient for each in records).items()})


def _places(values: Mapping[str, float]) -> dict[str, float]:
    order = sorted(values, key=lambda person: (values[person], person))
    return {person: place / max(1, len(order) - 1) for place, person in enumerate(order)}
