"""Who writes to whom, from nothing but who receives when: statistical disclosure.

Danezis: Statistical Disclosure Attacks (SEC 2003) compares what happens while somebody takes part with what happens anyhow.
Martiny, Kaptchuk, Aviv, Roche, Wustrow: Improving Signal's Sealed Sender (NDSS 2021) turn it on sealed sender: whoever gets an
envelope answers it, if only with a receipt, so that its sender receives something soon afterwards. Here, too, the target is a
recipient; a round is the time after each envelope for them; and who receives more in their rounds than otherwise is one of
their correspondents.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import sqrt

from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, owner

Ranking = Mapping[str, Sequence[str]]


def rounds(seen: Sequence[Seen], window: float) -> Iterator[tuple[str, Sequence[str]]]:
    """After each envelope: whose it is, and who received within `window` seconds, the recipient themselves left out."""
    times = [(each.at, owner(each.recipient)) for each in seen]
    end = 0
    for start, (at, target) in enumerate(times):
        end = max(end, start + 1)
        while end < len(times) and times[end][0] <= at + window:
            end += 1
        yield target, [user for _, user in times[start + 1 : end] if user != target]


def correspondents(seen: Sequence[Seen], window: float) -> dict[str, list[str]]:
    """Recipient -> everybody who received in their rounds, the likeliest correspondent first.

    The score is how many envelopes more than expected somebody received in the target's rounds, in standard deviations of a
    Poisson count. `seen` in the order of time; `window` in seconds.
    """
    together: dict[str, Counter[str]] = {}
    width: Counter[str] = Counter()
    for target, received in rounds(seen, window):
        together.setdefault(target, Counter()).update(received)
        width[target] += len(received)
    volume = Counter(owner(each.recipient) for each in seen)
    total = volume.total()

    def score(target: str, user: str) -> float:
        expected = width[target] * volume[user] / max(1, total - volume[target])
        return (together[target][user] - expected) / sqrt(expected)

    return {
        target: sorted(counts, key=lambda user: (-score(target, user), user)) for target, counts in together.items()
    }


def by_volume(seen: Sequence[Seen]) -> dict[str, list[str]]:
    """The same for somebody who guesses: those who receive the most come first, for everybody."""
    ranked = [user for user, _ in Counter(owner(each.recipient) for each in seen).most_common()]
    return {target: [user for user in ranked if user != target] for target in ranked}


def named(seen: Sequence[Seen]) -> dict[str, list[str]]:
    """The same where the sender is written down: no statistics are needed."""
    written: dict[str, Counter[str]] = {}
    for each in seen:
        if each.sender is not None:
            written.setdefault(owner(each.recipient), Counter())[owner(each.sender)] += 1
    return {target: [user for user, _ in counts.most_common()] for target, counts in written.items()}


def who_writes(traffic: Traffic, at_least: int) -> dict[str, set[str]]:
    """The truth: recipient -> who has written `at_least` so many letters to them."""
    counts: dict[str, Counter[str]] = {}
    written = {
        (truth.letter, owner(truth.sender), owner(seen.recipient))
        for seen, truth in traffic
        if truth.kind is Kind.LETTER
    }
    for _, sender, recipient in written:
        counts.setdefault(recipient, Counter())[sender] += 1
    found = {to: {user for user, count in each.items() if count >= at_least} for to, each in counts.items()}
    return {to: users for to, users in found.items() if users}


def linked(rankings: Ranking, truth: Mapping[str, Collection[str]]) -> float:
    """The share of correspondents who are found: of each recipient's n, how many are among the first n that are named.

    1 is everybody; it is R-precision, over all pairs. 0 when there are no pairs.
    """
    pairs = sum(len(users) for users in truth.values())
    found = sum(len(set(islice(rankings.get(to, ()), len(users))) & set(users)) for to, users in truth.items())
    return found / pairs if pairs else 0.0


def users(seen: Iterable[Seen]) -> set[str]:
    """Everybody who receives."""
    return {owner(each.recipient) for each in seen}
