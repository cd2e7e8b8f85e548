"""All that can be concluded, for both postures side by side, with how good each conclusion is. Of bounded size."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from blindrelay.console.inference.population import Known, Population, people_of, week
from blindrelay.proofs.traffic.inference import answers, communities, graph, hierarchy, hours
from blindrelay.proofs.traffic.inference.graph import Edge
from blindrelay.proofs.traffic.inference.hours import Day
from blindrelay.proofs.traffic.records import Seen

#: So many people and pairs are drawn; the others are counted.
NODES: Final = 48
EDGES: Final = 160
#: So many people have a day of their own, and so many are named as bosses, and as quick to answer.
DAYS: Final = 12
NAMED: Final = 8
# So often the observer looks at who receives something after whom: that takes some seconds, and 300 MB where everybody writes
# to everybody. Of 25,000 records it is no restriction; with more, soon is sooner.
_LOOKS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Conclusions:
    """What records yield.

    Attributes:
        pairs: who talks to whom, and how strongly.
        departments: person -> group.
        ranks: person -> how much they matter.
        days: person -> how much happened in each hour of the day.
        answers: person -> after how many seconds they answer, in the middle.
    """

    pairs: Mapping[Edge, float]
    departments: Mapping[str, int]
    ranks: Mapping[str, float]
    days: Mapping[str, Day]
    answers: Mapping[str, float]

    @classmethod
    def of(cls, records: Sequence[Seen], at_most: int | None = None) -> "Conclusions":
        """Draw them. `at_most`: take no more than so many pairs for real, the strongest."""
        pairs = graph.infer(records, min(graph.CROWD, _LOOKS / max(1, len(records))))
        if at_most is not None:
            pairs = graph.strongest(pairs, at_most)
        return cls(
            pairs=pairs,
            departments=communities.infer(pairs),
            ranks=hierarchy.infer(pairs),
            days=hours.infer(records),
            answers=answers.infer(records),
        )


def make(population: Population) -> dict[str, Any]:
    """The report, as JSON. It takes some seconds for a hundred thousand records, and blocks."""
    standard = Conclusions.of(population.standard)
    # As many pairs are taken for real as there are: an observer does not know that number, and so this errs on their side.
    sealed = Conclusions.of(population.sealed, len(standard.pairs))
    records = population.standard
    return {
        "people": len(people_of(records)),
        "records": len(records),
        "sealed": sum(record.sender is None for record in records),
        "week": [{"day": day, "hours": hours_of} for day, hours_of in week(records)],
        "standard": _shown(standard, population),
        "without": _shown(sealed, population),
        "measured": _measured(standard, sealed, population.known),
    }


def usable(population: Population) -> bool:
    """Whether there is enough of it to conclude anything."""
    return len({record.recipient for record in population.standard}) > 1


def _shown(found: Conclusions, population: Population) -> dict[str, Any]:
    first = list(found.ranks)[:NAMED]
    most = max(found.ranks.values(), default=1.0)
    soonest = sorted(found.answers, key=lambda person: (found.answers[person], person))[:NAMED]
    busiest = sorted(found.days, key=lambda person: (-sum(found.days[person]), person))[:DAYS]
    return {
        **_drawn(found, population),
        "bosses": [{"who": population.name(who), "score": round(found.ranks[who] / most, 2)} for who in first],
        "answers": [{"who": population.name(who), "seconds": round(found.answers[who])} for who in soonest],
        "days": [{"who": population.name(who), "hours": found.days[who]} for who in sorted(busiest)],
    }


def _drawn(found: Conclusions, population: Population) -> dict[str, Any]:
    strength: dict[str, float] = {}
    for pair, weight in found.pairs.items():
        for person in pair:
            strength[person] = strength.get(person, 0.0) + weight
    shown = sorted(strength, key=lambda person: (-strength[person], person))[:NODES]
    shown.sort(key=lambda person: (found.departments[person], person))
    places = {person: place for place, person in enumerate(shown)}
    edges = sorted(
        ((one, other, weight) for (one, other), weight in found.pairs.items() if one in places and other in places),
        key=lambda edge: (-edge[2], edge[0], edge[1]),
    )[:EDGES]
    return {
        "nodes": [
            {
                "name": population.name(person),
                "group": found.departments[person],
                "weight": round(strength[person], 1),
            }
            for person in shown
        ],
        "edges": [[places[one], places[other], round(weight, 1)] for one, other, weight in edges],
        "others": len(strength) - len(shown),
        "groups": len(set(found.departments.values())),
    }


def _measured(standard: Conclusions, sealed: Conclusions, known: Known | None) -> list[dict[str, Any]]:
    """Each conclusion with how good it is: of standard, of sealed, and of somebody who guesses. Where nobody knows the truth,
    it is what standard shows, and standard itself is held against nothing."""
    truth = known or _taken_for_true(standard)

    def row(what: str, measure: str, guess: float, score: Callable[[Conclusions], float]) -> dict[str, Any]:
        return {
            "what": what,
            "measure": measure,
            "guess": round(guess, 3),
            "standard": None if known is None else round(score(standard), 3),
            "sealed": round(score(sealed), 3),
        }

    return [
        row(
            "Who writes to whom",
            "Of as many pairs as there are, the likeliest first: the share that is real.",
            graph.guess(truth.pairs),
            lambda found: graph.accuracy(found.pairs, truth.pairs),
        ),
        row(
            "Who belongs together",
            "How much of people's departments the groups tell (mutual information, of all that there is to know).",
            communities.guess(standard.departments, truth.departments),
            lambda found: communities.accuracy(found.departments, truth.departments),
        ),
        row(
            "Who is the boss",
            "Of all pairs of a boss and somebody below: the share in the right order.",
            0.5,
            lambda found: hierarchy.accuracy(found.ranks, truth.above),
        ),
        row(
            "Who works when",
            "How much of each person's day is right, hour by hour.",
            hours.guess(truth.days),
            lambda found: hours.accuracy(found.days, truth.days),
        ),
        row(
            "Who answers soon",
            "Of all pairs of people: the share of which it is known who answers sooner.",
            0.5,
            lambda found: answers.accuracy(found.answers, truth.answers),
        ),
    ]


def _taken_for_true(standard: Conclusions) -> Known:
    bosses = list(standard.ranks)[:NAMED]
    return Known(
        pairs=set(standard.pairs),
        departments={person: str(group) for person, group in standard.departments.items()},
        above=[(boss, other) for boss in bosses for other in standard.ranks if other not in bosses],
        days=standard.days,
        answers=standard.answers,
    )
