"""How good a guess is, beside what a guess without any knowledge would be."""

from collections import Counter
from collections.abc import Collection, Mapping
from math import comb


def hits(guessed: Mapping[tuple[str, str], float], true: Collection[tuple[str, str]]) -> float:
    """Of the likeliest guesses, as many as there are true pairs, the share that is true."""
    if not true:
        return 0.0
    best = sorted(guessed, key=lambda pair: (-guessed[pair], pair))[: len(true)]
    return sum(pair in true for pair in best) / len(true)


def agreement(found: Mapping[str, object], true: Mapping[str, object]) -> float:
    """How alike two divisions into groups are: 1 the same, 0 as by chance (Hubert, Arabie: Comparing partitions, 1985)."""
    people = found.keys() & true.keys()
    both = Counter((found[person], true[person]) for person in people)
    one, other = Counter(found[person] for person in people), Counter(true[person] for person in people)
    pairs = comb(len(people), 2)
    if pairs == 0:
        return 0.0
    together = sum(comb(count, 2) for count in both.values())
    first, second = (sum(comb(count, 2) for count in each.values()) for each in (one, other))
    expected, most = first * second / pairs, (first + second) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)


def above(scores: Mapping[str, float], chosen: Collection[str]) -> float:
    """How often one of `chosen` has a higher score than one of the others: 1 always, 0.5 as by chance."""
    those = [score for person, score in scores.items() if person in chosen]
    others = [score for person, score in scores.items() if person not in chosen]
    if not those or not others:
        return 0.5
    won = sum((one > other) + (one == other) / 2 for one in those for other in others)
    return won / (len(those) * len(others))
