"""What gives a sender away without statistics: a name, a connection, what goes to all of somebody's devices but one."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

from blindrelay.proofs.traffic.attribution import BURST
from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, Truth, owner

#: Two letters within so many seconds are one conversation, and may come over one connection.
CONVERSATION: Final = 120.0
#: Connections are opened within half a second, and what is asked is answered at once.
_QUESTION: Final = 3.0


def named(traffic: Traffic) -> float:
    """The share of letters' envelopes whose sender is written down."""
    known = [seen.sender is not None for seen, truth in traffic if truth.kind is Kind.LETTER]
    return sum(known) / len(known) if known else 0.0


def tied(traffic: Traffic) -> tuple[float, int]:
    """Of all pairs of letters by one person to another, more than `CONVERSATION` apart, the share that came over one
    connection; and how many pairs there are.

    Whoever sees two letters come over one connection knows that they are by the same hand, whoever that is.
    """
    written: dict[tuple[str, str], dict[str, Seen]] = {}
    for seen, truth in traffic:
        if truth.kind is Kind.LETTER:
            written.setdefault((truth.sender, owner(seen.recipient)), {}).setdefault(truth.letter, seen)
    pairs = [
        first.connection is not None and first.connection == later.connection
        for letters in written.values()
        for first, later in combinations(letters.values(), 2)
        if later.at - first.at > CONVERSATION
    ]
    return (sum(pairs) / len(pairs) if pairs else 0.0), len(pairs)


def copied(traffic: Traffic) -> float:
    """Of the letters of people with several devices, the share that is signed by a copy.

    What goes to some of a user's devices and not to all comes from one of the others: next to a letter, that is its sender.
    """
    devices: dict[str, set[str]] = {}
    for seen, truth in traffic:
        if seen.size:
            for device in (seen.recipient, truth.sender):
                devices.setdefault(owner(device), set()).add(device)
    letters = [(place, truth) for place, truth in _letters(traffic) if len(devices[owner(truth.sender)]) > 1]
    right = 0
    for place, truth in letters:
        reached: dict[str, set[str]] = {}
        for other in (each for each in _around(traffic.seen, place, BURST) if each.size):
            reached.setdefault(owner(other.recipient), set()).add(other.recipient)
        right += {user for user, those in reached.items() if those < devices[user]} == {owner(truth.sender)}
    return right / len(letters) if letters else 0.0


def asked(traffic: Traffic) -> float:
    """The share of letters that are signed by a question.

    An anonymous connection that brings nothing has asked about the user whose token it shows. Next to a letter to somebody
    else, that user has written it.
    """
    letters = _letters(traffic)
    right = 0
    for place, truth in letters:
        questions = {owner(each.recipient) for each in _around(traffic.seen, place, _QUESTION) if not each.size}
        right += questions == {owner(truth.sender)}
    return right / len(letters) if letters else 0.0


def _letters(traffic: Traffic) -> list[tuple[int, Truth]]:
    """The first envelope of each letter, by its place, and what it is."""
    first: dict[str, tuple[int, Truth]] = {}
    for place, truth in enumerate(traffic.truth):
        if truth.kind is Kind.LETTER:
            first.setdefault(truth.letter, (place, truth))
    return list(first.values())


def _around(seen: Sequence[Seen], place: int, seconds: float) -> Iterator[Seen]:
    """Everything that came within so many seconds of one, before or after, and that one."""
    first = bisect_left(seen, seen[place].at - seconds, key=lambda each: each.at)
    last = bisect_right(seen, seen[place].at + seconds, key=lambda each: each.at)
    yield from seen[first:last]
