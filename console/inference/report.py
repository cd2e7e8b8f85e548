"""All that can be concluded, for both postures side by side: the same records once with the sender and once without."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from blindrelay.console.inference import graph, people, scores, timing
from blindrelay.console.inference.graph import Pair, Pairs
from blindrelay.console.inference.records import Population, Record, by_hour

#: So many people and pairs are drawn; the others are counted.
NODES: Final = 48
EDGES: Final = 160
_NAMED: Final = 8
_FEW: Final = 10


def make(population: Population) -> dict[str, Any]:
    """The report, as JSON. It takes some seconds for a hundred thousand records, and blocks."""
    records = population.records
    sealed = [replace(record, sender=None) for record in records]
    pairs = graph.directed(records)
    known = graph.undirected(pairs)
    guessed = timing.guess(sealed)
    # As many pairs are taken for real as there are: an observer does not know that number, and so this errs on their side.
    taken = dict(sorted(guessed.items(), key=lambda item: (-item[1], item[0]))[: len(known)])
    groups, guessed_groups = graph.communities(known), graph.communities(taken)
    bosses, guessed_bosses = people.bosses(records), people.busiest(sealed)
    own, answered = people.answers(records)
    return {
        "people": len({person for pair in known for person in pair}),
        "records": len(records),
        "sealed": sum(record.sender is None for record in records),
        "from": records[0].at if records else None,
        "to": records[-1].at if records else None,
        "hours": by_hour(records),
        "standard": {
            **_drawn(known, groups),
            "bosses": _first(bosses),
            "answers": [
                {"who": who, "own": own[who], "answered": answered.get(who)}
                for who in sorted(own, key=own.__getitem__)[:_NAMED]
            ],
        },
        "without": {**_drawn(taken, guessed_groups), "bosses": _first(guessed_bosses), "answers": []},
        "measured": _measured(population, known, guessed, (groups, guessed_groups), (bosses, guessed_bosses)),
    }


def _drawn(pairs: Pairs, groups: Mapping[str, int]) -> dict[str, Any]:
    strength: dict[str, float] = {}
    for pair, weight in pairs.items():
        for person in pair:
            strength[person] = strength.get(person, 0.0) + weight
    shown = sorted(strength, key=lambda person: (-strength[person], person))[:NODES]
    shown.sort(key=lambda person: (groups[person], person))
    places = {person: place for place, person in enumerate(shown)}
    edges = sorted(
        ((one, other, weight) for (one, other), weight in pairs.items() if one in places and other in places),
        key=lambda edge: (-edge[2], edge[0], edge[1]),
    )[:EDGES]
    return {
        "nodes": [{"name": person, "group": groups[person], "weight": round(strength[person], 1)} for person in shown],
        "edges": [[places[one], places[other], round(weight, 1)] for one, other, weight in edges],
        "others": len(strength) - len(shown),
        "groups": len(set(groups.values())),
    }


def _first(values: Mapping[str, float]) -> list[dict[str, Any]]:
    best = sorted(values, key=lambda person: (-values[person], person))[:_NAMED]
    return [{"who": who, "score": round(values[who], 2)} for who in best]


def _measured(
    population: Population,
    known: Pairs,
    guessed: Mapping[Pair, float],
    groups: tuple[Mapping[str, int], Mapping[str, int]],
    bosses: tuple[Mapping[str, float], Mapping[str, float]],
) -> list[dict[str, Any]]:
    """Each conclusion with how good it is: of standard, of sealed, and of somebody who guesses."""
    count = len({person for pair in known for person in pair})
    possible = max(1, count * (count - 1) // 2)
    true_groups: Mapping[str, object] = population.groups or groups[0]
    true_bosses = population.bosses or frozenset(entry["who"] for entry in _first(bosses[0])[:_FEW])
    return [
        {
            "what": "Who writes to whom",
            "measure": "pairs that are right, of the likeliest",
            "standard": 1.0 if known else 0.0,
            "sealed": scores.hits(guessed, known.keys()),
            "guess": len(known) / possible,
            "against": "the records themselves",
        },
        {
            "what": "Which people belong together",
            "measure": "agreement of the groups (1 the same, 0 chance)",
            "standard": scores.agreement(groups[0], true_groups),
            "sealed": scores.agreement(groups[1], true_groups),
            "guess": 0.0,
            "against": "the teams" if population.groups else "what standard shows",
        },
        {
            "what": "Who is the boss",
            "measure": "a boss is placed above somebody who is none",
            "standard": scores.above(bosses[0], true_bosses),
            "sealed": scores.above(bosses[1], true_bosses),
            "guess": 0.5,
            "against": "who leads a team" if population.bosses else "what standard shows",
        },
    ]


def usable(records: Sequence[Record]) -> bool:
    """Whether there is enough of it to conclude anything."""
    return len({record.recipient for record in records}) > 1
