"""Who writes to whom, as a graph: pairs, communities, importance."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from blindrelay.console.inference.records import Record

Pair = tuple[str, str]
Pairs = Mapping[Pair, float]

_PASSES: Final = 20
_ROUNDS: Final = 40
_DAMPING: Final = 0.85


def directed(records: Iterable[Record]) -> Counter[Pair]:
    """How often each wrote to each, where that is written down."""
    return Counter((record.sender, record.recipient) for record in records if record.sender is not None)


def undirected(pairs: Pairs) -> dict[Pair, float]:
    """The same without who began."""
    found: dict[Pair, float] = defaultdict(float)
    for (one, other), weight in pairs.items():
        found[min(one, other), max(one, other)] += weight
    return dict(found)


def communities(pairs: Pairs) -> dict[str, int]:
    """Groups within which more is written than one would expect (Blondel, Guillaume, Lambiotte, Lefebvre: Fast unfolding of
    communities in large networks, 2008). Numbered by their size, the largest 0. `pairs`: undirected."""
    members: dict[str, tuple[str, ...]] = {person: (person,) for pair in pairs for person in pair}
    weights = dict(pairs)
    while True:
        label = _moved(weights)
        groups: dict[str, list[str]] = defaultdict(list)
        for node, group in label.items():
            groups[group].append(node)
        if len(groups) == len(members):
            break
        members = {
            group: tuple(person for node in nodes for person in members[node]) for group, nodes in groups.items()
        }
        joined: dict[Pair, float] = defaultdict(float)
        for (one, other), weight in weights.items():
            first, second = sorted((label[one], label[other]))
            joined[first, second] += weight
        weights = dict(joined)
    largest = sorted(members.values(), key=lambda group: (-len(group), min(group)))
    return {person: number for number, group in enumerate(largest) for person in group}


def _moved(weights: Mapping[Pair, float]) -> dict[str, str]:
    """Move each node to the neighbours' group that gains most, until nothing moves."""
    around: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    strength: dict[str, float] = defaultdict(float)
    for (one, other), weight in weights.items():
        strength[one] += weight
        strength[other] += weight
        if one != other:
            around[one][other] += weight
            around[other][one] += weight
    total = sum(strength.values()) or 1.0
    label = {node: node for node in strength}
    inside = dict(strength)
    for _ in range(_PASSES):
        moved = False
        for node in sorted(strength, key=lambda each: (-strength[each], each)):
            links: dict[str, float] = defaultdict(float)
            for neighbour, weight in around[node].items():
                links[label[neighbour]] += weight
            inside[label[node]] -= strength[node]
            best = max(
                {label[node], *links},
                key=lambda group: (links[group] - inside[group] * strength[node] / total, group == label[node], group),
            )
            inside[best] += strength[node]
            moved = moved or best != label[node]
            label[node] = best
        if not moved:
            break
    return label


def importance(pairs: Pairs) -> dict[str, float]:
    """To whom those write to whom many write (Page, Brin: PageRank, 1998). `pairs`: directed."""
    people = {person for pair in pairs for person in pair}
    out: dict[str, float] = defaultdict(float)
    for (sender, _), weight in pairs.items():
        out[sender] += weight
    rank = dict.fromkeys(people, 1.0 / max(1, len(people)))
    for _ in range(_ROUNDS):
        lost = sum(rank[person] for person in people if person not in out)
        base = (1 - _DAMPING + _DAMPING * lost) / max(1, len(people))
        following = dict.fromkeys(people, base)
        for (sender, recipient), weight in pairs.items():
            following[recipient] += _DAMPING * rank[sender] * weight / out[sender]
        rank = following
    return rank
