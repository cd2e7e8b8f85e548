"""Groups, from nothing but envelopes that come at once.

A relay is never told that there is a group: a letter to one is an envelope for each device of each member. They come together,
though, with one size, and again the next time. Sets of recipients that recur are groups; in the posture `sealed` the sender is
the one who is missing. (Bursts as what gives a group away: Bahramali, Houmansadr, Soltani, Goeckel, Towsley: Practical
Traffic Analysis Attacks on Secure Messaging Applications, NDSS 2020.)
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from blindrelay.proofs.traffic.attribution import BURST
from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, owner

#: Two people are a conversation. Three recipients and a sender are a group.
SMALLEST: Final = 3
#: A set that is seen so often is a group.
OFTEN: Final = 2
#: A group counts as found when so much of it and of what was found is the same (Jaccard's index).
ALIKE: Final = 0.8
_SAME_GROUP: Final = 0.6


@dataclass(slots=True)
class Burst:
    """Envelopes that came at once, with one size. `sender`: if it is written down; `first`: the place of the first one."""

    first: int
    at: float
    size: int
    sender: str | None
    users: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Group:
    """People whom somebody wrote to at once, again and again."""

    members: set[str]
    bursts: list[Burst]


def bursts(seen: Sequence[Seen]) -> Iterator[Burst]:
    """Every burst; `seen` in the order of time."""
    open_ones: dict[tuple[int, str | None], Burst] = {}
    for place, each in enumerate(seen):
        key = (each.size, each.sender)
        burst = open_ones.get(key)
        if burst is None or each.at - burst.at > BURST:
            if burst is not None:
                yield burst
            burst = open_ones[key] = Burst(
                place, each.at, each.size, None if each.sender is None else owner(each.sender)
            )
        burst.users.add(owner(each.recipient))
    yield from open_ones.values()


def find(seen: Sequence[Seen]) -> list[Group]:
    """Every set of people that was written to at once at least `OFTEN` times, with who is missing now and then."""
    groups: list[Group] = []
    for burst in sorted(bursts(seen), key=lambda burst: burst.first):
        if len(burst.users) < SMALLEST:
            continue
        members = burst.users | ({burst.sender} if burst.sender else set())
        group = max(groups, key=lambda group: alike(group.members, members), default=None)
        if (
            group is None
            or alike(group.members, members) < _SAME_GROUP
            or len(group.members | members) > len(members) + 1
        ):
            groups.append(Group(set(members), [burst]))
        else:
            group.members |= members
            group.bursts.append(burst)
    return [group for group in groups if len(group.bursts) >= OFTEN]


def alike(one: set[str], other: set[str]) -> float:
    """Jaccard's index: the share of members of either who are members of both."""
    return len(one & other) / len(one | other)


def real(traffic: Traffic) -> list[set[str]]:
    """The truth: whoever wrote or received a letter to three or more, if exactly these people did `OFTEN` times."""
    parties: dict[str, set[str]] = {}
    for seen, truth in traffic:
        if truth.kind is Kind.LETTER:
            parties.setdefault(truth.letter, {owner(truth.sender)}).add(owner(seen.recipient))
    often: dict[frozenset[str], int] = {}
    for party in parties.values():
        if len(party) > SMALLEST:
            often[frozenset(party)] = often.get(frozenset(party), 0) + 1
    return [set(party) for party, count in often.items() if count >= OFTEN]


def found(groups: Iterable[Group], truth: Sequence[set[str]]) -> float:
    """How well the groups were found: the harmonic mean of precision and recall (F1). 1 is all of them and nothing else."""
    named = [group.members for group in groups]
    if not named or not truth:
        return 0.0
    recall = sum(any(alike(group, other) >= ALIKE for other in named) for group in truth) / len(truth)
    precision = sum(any(alike(group, other) >= ALIKE for other in truth) for group in named) / len(named)
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def senders(groups: Iterable[Group], traffic: Traffic) -> float:
    """Of the letters to a group that was found, the share whose sender is known: written down, or the one who got none."""
    right = count = 0
    for group in groups:
        for burst in group.bursts:
            named = {burst.sender} if burst.sender else group.members - burst.users
            count += 1
            right += named == {owner(traffic.truth[burst.first].sender)}
    return right / count if count else 0.0
