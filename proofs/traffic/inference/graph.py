"""Who talks to whom: an undirected graph, each edge with how strong it is."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from blindrelay.proofs.traffic.disclosure import rounds
from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, owner

#: Two people, in the order of their names.
Edge = tuple[str, str]
#: People in a round are no more than that on average: what a hundred thousand records cost depends on it. And receipts wait for
#: half an hour at most.
CROWD: Final = 40
_LONGEST: Final = 1_800.0


def edge(one: str, other: str) -> Edge:
    """The edge between two people."""
    return (one, other) if one < other else (other, one)


def infer(seen: Sequence[Seen], crowd: float = CROWD) -> dict[Edge, float]:
    """The graph, by how strong its edges are: envelopes, where senders are written down; otherwise, how much more often than
    usual one receives soon after the other (Danezis, 2003), in standard deviations. Edges that are no evidence are left out.

    `crowd`: how many people soon is, at most, on average; time and memory grow with it.
    """
    if any(each.sender is not None for each in seen):
        return dict(named(seen))
    return disclosed(seen, crowd)


def named(seen: Iterable[Seen]) -> Counter[Edge]:
    """Envelopes between two people, either way."""
    return Counter(
        edge(owner(each.sender), owner(each.recipient))
        for each in seen
        if each.sender is not None and owner(each.sender) != owner(each.recipient)
    )


def disclosed(seen: Sequence[Seen], crowd: float = CROWD) -> dict[Edge, float]:
    """See `infer`."""
    if not seen:
        return {}
    counts: Counter[Edge] = Counter()
    width: Counter[str] = Counter()
    for target, received in rounds(seen, _window(seen, crowd)):
        counts.update((target, user) if target < user else (user, target) for user in received)
        width[target] += len(received)
    volume = Counter(owner(each.recipient) for each in seen)
    scores: dict[Edge, float] = {}
    for (one, other), count in counts.items():
        expected = (width[one] * volume[other] + width[other] * volume[one]) / len(seen)
        if count > expected:
            scores[one, other] = (count - expected) / (expected + 1) ** 0.5
    return scores


def _window(seen: Sequence[Seen], most: float) -> float:
    """Half an hour; less, where so much happens at the busy times that the rounds would be larger than `most`."""
    times = [each.at for each in seen]
    crowd = sum(bisect_right(times, at + _LONGEST) - place - 1 for place, at in enumerate(times)) / len(times)
    return _LONGEST * min(1.0, most / max(1.0, crowd))


def strongest(graph: Mapping[Edge, float], count: int) -> dict[Edge, float]:
    """So many edges, the strongest; of those that are alike, the first by name."""
    if count >= len(graph):
        return dict(graph)
    if count < 1:
        return {}
    least = sorted(graph.values(), reverse=True)[count - 1]
    found = {edge: weight for edge, weight in graph.items() if weight > least}
    alike = sorted(edge for edge, weight in graph.items() if weight == least)
    return found | dict.fromkeys(alike[: count - len(found)], least)


def true(traffic: Traffic) -> set[Edge]:
    """Who has really written to whom, either way."""
    return {edge(owner(truth.sender), owner(seen.recipient)) for seen, truth in traffic if truth.kind is Kind.LETTER}


def accuracy(graph: Mapping[Edge, float], truth: set[Edge]) -> float:
    """Of as many edges as there really are, the strongest first, the share that is real. 1 is all of them."""
    if not truth:
        return 0.0
    return len(truth.intersection(strongest(graph, len(truth)))) / len(truth)


def guess(truth: set[Edge]) -> float:
    """The same for somebody who draws edges by lot between those people."""
    people = len({person for each in truth for person in each})
    return len(truth) / (people * (people - 1) / 2) if people > 1 else 0.0
