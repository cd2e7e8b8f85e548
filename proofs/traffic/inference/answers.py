"""Who answers how soon: for each person, the time until something goes back that no program has sent.

Who is answered at once, and who keeps others waiting, says who matters. Where senders are not written down there are no such
times: the observer sees that people receive, and not who has answered whom.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from math import comb
from operator import itemgetter
from statistics import median
from typing import Final

from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, owner

#: Receipts leave at once; nobody reads and writes in less. Seconds.
RECEIPT: Final = 20.0
#: What comes later is no answer. Seconds.
LATEST: Final = 86_400.0
#: The median of fewer says nothing.
FEWEST: Final = 3


def infer(seen: Iterable[Seen]) -> dict[str, float]:
    """Person -> after how long something goes back from them, in the middle. Seconds; nobody where no senders are named.

    That somebody has read something looks like a short letter, so this is when they look rather than when they answer.
    """
    return _medians((each.at, owner(each.sender), owner(each.recipient)) for each in seen if each.sender is not None)


def true(traffic: Traffic) -> dict[str, float]:
    """The same by letters alone."""
    return _medians(
        (seen.at, owner(truth.sender), owner(seen.recipient)) for seen, truth in traffic if truth.kind is Kind.LETTER
    )


def _medians(sent: Iterable[tuple[float, str, str]]) -> dict[str, float]:
    waiting: dict[tuple[str, str], float] = {}
    times: dict[str, list[float]] = {}
    for at, sender, recipient in sent:
        if sender == recipient:  # a copy for a device of their own: nobody has asked, and nobody is asked
            continue
        since = waiting.get((recipient, sender))
        if since is not None and at - since >= RECEIPT:
            del waiting[recipient, sender]
            if at - since <= LATEST:
                times.setdefault(sender, []).append(at - since)
        waiting.setdefault((sender, recipient), at)
    return {person: median(found) for person, found in times.items() if len(found) >= FEWEST}


def accuracy(found: Mapping[str, float], truth: Mapping[str, float]) -> float:
    """Of all pairs of people, the share of which it is known who answers sooner. A guess has a half of them, and so has whoever
    knows nothing; 0 when there are no pairs. Of two who are equally quick there is nothing to know."""
    possible = comb(len(truth), 2) - sum(comb(alike, 2) for alike in Counter(truth.values()).values())
    right, decided, before = 0, 0, list[float]()
    order = sorted((truth[person], found[person]) for person in truth if person in found)
    for _, group in groupby(order, key=itemgetter(0)):
        times = [seconds for _, seconds in group]
        for seconds in times:
            sooner = bisect_left(before, seconds)
            right += sooner
            decided += sooner + len(before) - bisect_right(before, seconds)
        for seconds in times:
            insort(before, seconds)
    return (right + (possible - decided) / 2) / possible if possible else 0.0
