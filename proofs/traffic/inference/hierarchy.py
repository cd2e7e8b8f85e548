"""Who is the boss: who matters in a graph of who talks to whom.

PageRank (Brin, Page: The Anatomy of a Large-Scale Hypertextual Web Search Engine, 1998) on the undirected graph: somebody
matters who talks to many who matter. (Rowe, Creamer, Hershkop, Stolfo: Automated Social Hierarchy Detection through Email
Network Analysis, 2007, found the management of a company by such numbers from its mail.)
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from blindrelay.proofs.traffic.inference.graph import Edge

_DAMPING: Final = 0.85
_ROUNDS: Final = 40
#: When so little moves in a round, of all that there is, that no place will be another one.
_SETTLED: Final = 1e-6


def infer(graph: Mapping[Edge, float]) -> dict[str, float]:
    """Person -> how much they matter; all together 1. The first is who is taken for the boss."""
    links: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for (one, other), weight in graph.items():
        links[one][other] = links[other][one] = weight
    strength = {person: sum(near.values()) for person, near in links.items()}
    rank = dict.fromkeys(links, 1 / max(1, len(links)))
    for _ in range(_ROUNDS):
        before = rank
        rank = {
            person: (1 - _DAMPING) / len(links)
            + _DAMPING * sum(before[other] * weight / strength[other] for other, weight in near.items())
            for person, near in links.items()
        }
        if sum(abs(rank[person] - before[person]) for person in links) < _SETTLED:
            break
    return dict(sorted(rank.items(), key=lambda each: (-each[1], each[0])))


def accuracy(ranks: Mapping[str, float], above: Iterable[tuple[str, str]]) -> float:
    """Of all pairs of somebody and who reports to them, the share that is in the right order. A guess has a half of them.

    `above`: superior and subordinate. Who is not in the graph matters less than who is.
    """
    pairs = [(ranks.get(superior, 0.0), ranks.get(subordinate, 0.0)) for superior, subordinate in above]
    right = sum(1.0 if one > other else 0.5 if one == other else 0.0 for one, other in pairs)
    return right / len(pairs) if pairs else 0.0


def place(ranks: Mapping[str, float], boss: str) -> int:
    """Which place somebody has, from 1; the last one if they are not there."""
    return sorted(ranks, key=lambda person: (-ranks[person], person)).index(boss) + 1 if boss in ranks else len(ranks)
