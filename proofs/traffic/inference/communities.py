"""Departments: who talks mostly to one another, from the graph alone.

The method of Louvain (Blondel, Guillaume, Lambiotte, Lefebvre: Fast Unfolding of Communities in Large Networks, 2008):
everybody begins alone and moves to the neighbours with whom the graph's modularity gains most; then whole communities move in
the same way. It is written out here: it is shorter than what a graph library brings along, and nothing else of one is needed.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from typing import Final, TypeVar

from blindrelay.proofs.traffic.inference.graph import Edge
from blindrelay.proofs.traffic.information import entropy, mutual_information

Node = TypeVar("Node", bound=Hashable)
_Links = dict[Node, dict[Node, float]]
#: Passes over all nodes until nothing moves any more; a bound, for what would go around in circles.
_PASSES: Final = 50
_SHUFFLES: Final = 20


def infer(graph: Mapping[Edge, float]) -> dict[str, int]:
    """Person -> community. Communities are numbered by their size, from 0 for the largest; whoever has no edge is in none."""
    links: _Links[str] = defaultdict(dict)
    for (one, other), weight in graph.items():
        links[one][other] = links[other][one] = weight
    member = {person: person for person in links}
    level: _Links[str] = dict(links)
    while True:
        moved = _move(level)
        if len(set(moved.values())) == len(level):
            break
        member = {person: moved[community] for person, community in member.items()}
        level = _merge(level, moved)
    ranks = {name: rank for rank, (name, _) in enumerate(Counter(sorted(member.values())).most_common())}
    return {person: ranks[community] for person, community in member.items()}


def _move(links: _Links[str]) -> dict[str, str]:
    """Let each node move to the community where modularity gains most, until none does. A link to itself counts twice."""
    degree = {node: sum(near.values()) + near.get(node, 0.0) for node, near in links.items()}
    total = sum(degree.values()) or 1.0
    community = {node: node for node in links}
    size = dict(degree)
    for _ in range(_PASSES):
        is_settled = True
        for node, near in links.items():
            own = community[node]
            size[own] -= degree[node]
            gains: defaultdict[str, float] = defaultdict(float)
            for other, weight in near.items():
                if other != node:
                    gains[community[other]] += weight
            best = max(
                {own, *gains}, key=lambda each: (gains[each] - size[each] * degree[node] / total, each == own, each)
            )
            size[best] += degree[node]
            community[node] = best
            is_settled = is_settled and best == own
        if is_settled:
            break
    return community


def _merge(links: _Links[str], community: Mapping[str, str]) -> _Links[str]:
    """A graph whose nodes are communities; a link within one becomes a link to itself."""
    merged: _Links[str] = {name: {} for name in community.values()}
    for node, near in links.items():
        for other, weight in near.items():
            one, two = community[node], community[other]
            # Each link between two nodes is seen from both of them.
            share = weight / 2 if one == two and node != other else weight
            merged[one][two] = merged[one].get(two, 0.0) + share
    return merged


def accuracy(found: Mapping[str, int], truth: Mapping[str, str]) -> float:
    """How much of where people belong is known: the mutual information of both divisions, over the larger entropy. 1 is all."""
    pairs = [(truth[person], community) for person, community in found.items() if person in truth]
    most = max(entropy(Counter(one for one, _ in pairs)), entropy(Counter(other for _, other in pairs)))
    return mutual_information(pairs) / most if most else 0.0


def guess(found: Mapping[str, int], truth: Mapping[str, str], seed: int = 1) -> float:
    """The same when those communities are handed out by lot: with many small ones, chance looks like knowledge."""
    chance, labels = random.Random(seed), list(found.values())  # noqa: S311 - it is to be repeatable, not secret
    shares = []
    for _ in range(_SHUFFLES):
        chance.shuffle(labels)
        shares.append(accuracy(dict(zip(found, labels, strict=True)), truth))
    return sum(shares) / len(shares)
