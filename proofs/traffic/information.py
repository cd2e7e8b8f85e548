"""How much one thing tells about another, in bits (Shannon: A Mathematical Theory of Communication, 1948)."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from math import log, log2
from typing import Any


def entropy(counts: Mapping[Any, float]) -> float:
    """H(X) of what was counted: how many bits it takes, on average, to say which it is. 0 when there is nothing to say."""
    total = sum(counts.values())
    return -sum(count / total * log2(count / total) for count in counts.values() if count > 0) if total else 0.0


def mutual_information(pairs: Iterable[tuple[Hashable, Hashable]]) -> float:
    """I(X;Y) = H(X) + H(Y) - H(X,Y): how many bits of X somebody has who sees Y, on average, and the other way around.

    Estimated from how often each pair occurs. That is too high by about (values of X - 1) (values of Y - 1) / (2 n ln 2) for n
    pairs (Miller: Note on the bias of information estimates, 1955), so with few pairs it errs on the side of the observer.
    """
    both = Counter(pairs)
    first, second = Counter[Hashable](), Counter[Hashable]()
    for (one, other), count in both.items():
        first[one] += count
        second[other] += count
    return max(0.0, entropy(first) + entropy(second) - entropy(both))


def bias(pairs: Iterable[tuple[Hashable, Hashable]]) -> float:
    """How far `mutual_information` of these pairs is too high, to first order: Miller's correction. Bits."""
    seen = list(pairs)
    if not seen:
        return 0.0
    one, other = len({x for x, _ in seen}), len({y for _, y in seen})
    return (one - 1) * (other - 1) / (2 * len(seen) * log(2))
