"""Who answers how soon: for each person, the time until something goes back that no program has sent.

Who is answered at once, and who keeps others waiting, says who matters. Where senders are not written down there are no such
times: the observer sees that people receive, and not who has answered whom.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations
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
        since = waiting.get((recipient, sender))
        if since is not None and at - since >= RECEIPT:
            del waiting[recipient, sender]
            if at - since <= LATEST:
                times.setdefault(sender, []).append(at - since)
        waiting.setdefault((sender, recipient), at)
    return {person: median(found) for person, found in times.items() if len(found) >= FEWEST}


def accuracy(found: Mapping[str, float], truth: Mapping[str, float]) -> float:
    """Of all pairs of people, the share of which it is known who answers sooner. A guess has a half of them, and so has whoever
    knows nothing; 0 when there are no pairs."""
    pairs = list(combinations(sorted(truth), 2))
    right = 0.0
    for one, other in pairs:
        if one not in found or other not in found or found[one] == found[other]:
            right += 0.5
        else:
            right += (found[one] < found[other]) is (truth[one] < truth[other])
    return right / len(pairs) if pairs else 0.0
