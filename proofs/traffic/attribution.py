"""Who wrote which letter, from nothing but who receives when.

Statistical disclosure finds a recipient's correspondents over many envelopes. Once they are known, each single envelope has a
likeliest sender: the correspondent who receives something (a receipt, an answer; or before it, what it answers) at the right
distance from it. Senders, correspondents and distances are estimated together here, each from the others, by expectation
maximisation; Danezis and Troncoso (Vida: How to Use Bayesian Inference to De-anonymize Persistent Communications, PETS 2009)
do the same by sampling. The observer knows nothing of the clients' pauses: it learns them.

The model behind it: an envelope for b has a sender u, with probability w(b, u). Something else that u receives is related to
it with a probability that depends on the distance in time; whatever else there is comes by chance, as often as usual.
"""

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log2
from typing import Final

from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, owner

#: Distances in time are told apart by these bounds, after and before an envelope: seconds. The observer looks no further.
BOUNDS: Final = (0.1, 0.3, 0.6, 1.0, 2.0, 3.5, 6.0, 12.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0)
_WIDTHS: Final = tuple(upper - lower for lower, upper in pairwise((0.0, *BOUNDS))) * 2
#: A client hands all envelopes of a letter over at once; each connection is opened within half a second. Seconds.
BURST: Final = 0.6
#: A guess by volume counts as much as what so many envelopes say.
_PRIOR: Final = 2.0
_ROUNDS: Final = 4
#: At first, something related is expected so often, at any distance.
_RELATED: Final = 0.5
_MOST_RELATED: Final = 0.98
#: No probability is taken to be below this: a surprise is to cost the observer something, and not everything.
_FLOOR: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Guess:
    """Who is taken for the sender of an envelope; how likely the true one is thought to be, and how likely by volume alone."""

    sender: str
    of_truth: float
    by_volume: float


def attribute(traffic: Traffic, burst: float = BURST) -> dict[int, Guess]:
    """Envelope (its place in `traffic`) -> who is taken for its sender; for the first envelope of each letter to each person.

    Envelopes within `burst` seconds of one another are taken for those of one letter, and say nothing about its sender. What
    is written down about a sender is used; the truth is asked for the score alone.
    """
    observer = _Observer(traffic.seen, burst)
    observer.learn()
    return {place: observer.guess(place, owner(traffic.truth[place].sender)) for place in letters(traffic)}


def best(traffic: Traffic) -> dict[int, Guess]:
    """The better of two observers: one takes what comes at once for one letter, the other for letter and answer."""
    return max((attribute(traffic, burst) for burst in (BURST, 0.0)), key=lambda guesses: attributed(guesses, traffic))


def letters(traffic: Traffic) -> list[int]:
    """The first envelope of each letter to each person, by its place."""
    found: dict[tuple[str, str], int] = {}
    for place, (seen, truth) in enumerate(traffic):
        if truth.kind is Kind.LETTER:
            found.setdefault((truth.letter, owner(seen.recipient)), place)
    return list(found.values())


def attributed(guesses: Mapping[int, Guess], traffic: Traffic) -> float:
    """The share of letters whose sender is guessed. 1 is all of them."""
    right = sum(guess.sender == owner(traffic.truth[place].sender) for place, guess in guesses.items())
    return right / len(guesses) if guesses else 0.0


def by_volume(traffic: Traffic) -> float:
    """The same for somebody who always names who receives the most, the recipient apart."""
    volume = [user for user, _ in Counter(owner(seen.recipient) for seen in traffic.seen).most_common(2)]
    places = letters(traffic)
    right = 0
    for place in places:
        named = next((user for user in volume if user != owner(traffic.seen[place].recipient)), "")
        right += named == owner(traffic.truth[place].sender)
    return right / len(places) if places else 0.0


def bits(guesses: Mapping[int, Guess]) -> float:
    """What the observer knows about a letter's sender beyond a guess by volume: bits, on average.

    The difference of two logarithmic scores, so a lower bound of the information that there is. It is below 0 for an observer
    who fools themselves; for one who knows every sender it is all that there was to know.
    """
    gained = [log2(max(guess.of_truth, _FLOOR) / max(guess.by_volume, _FLOOR)) for guess in guesses.values()]
    return sum(gained) / len(gained) if gained else 0.0


def all_bits(guesses: Mapping[int, Guess]) -> float:
    """What `bits` is for somebody who knows every sender: all that there is to know, in bits."""
    return bits({place: Guess(guess.sender, 1.0, guess.by_volume) for place, guess in guesses.items()})


class _Observer:
    """Estimates who writes to whom, and at which distances things are related.

    Attributes:
        lag: by distance: how likely an envelope's sender receives something related there.
        affinity: recipient -> user -> how many times likelier than by volume the user is to write to them.
        others: recipient -> the same of whoever is not in `affinity`.
    """

    def __init__(self, seen: Sequence[Seen], burst: float) -> None:
        self._seen = seen
        self._burst = burst
        self._times = [each.at for each in seen]
        names = sorted({owner(each.recipient) for each in seen} | {owner(each.sender) for each in seen if each.sender})
        self.number = {name: number for number, name in enumerate(names)}
        self.names = names
        self._to = [self.number[owner(each.recipient)] for each in seen]
        self._from = [None if each.sender is None else self.number[owner(each.sender)] for each in seen]
        volume = Counter(self._to)
        self.share = [(volume[number] + 0.5) / (len(seen) + 0.5 * len(names)) for number in range(len(names))]
        self.lag = [_RELATED / len(_WIDTHS)] * len(_WIDTHS)
        self.affinity: dict[int, dict[int, float]] = {}
        self.others: dict[int, float] = {}
        self._near = [self._look_around(place) for place in range(len(seen))]

    def _look_around(self, place: int) -> tuple["array[int]", bytes]:
        """Who else receives around an envelope, and at which distances."""
        users, lags = array("l"), bytearray()
        for step, first in ((1, 0), (-1, len(BOUNDS))):
            other = place + step
            while 0 <= other < len(self._times) and (far := abs(self._times[other] - self._times[place])) < BOUNDS[-1]:
                if far >= self._burst and self._to[other] != self._to[place]:
                    users.append(self._to[other])
                    lags.append(first + bisect_right(BOUNDS, far))
                other += step
        return users, bytes(lags)

    def learn(self) -> None:
        """Estimate everything, a few times, each from the others."""
        for _ in range(_ROUNDS if None in self._from else 1):
            self._learn_once()

    def _learn_once(self) -> None:
        gained: dict[int, defaultdict[int, float]] = {}
        elsewhere: defaultdict[int, float] = defaultdict(float)
        lags = [0.0] * len(_WIDTHS)
        for place, target in enumerate(self._to):
            counts = gained.setdefault(target, defaultdict(float))
            if (known := self._from[place]) is not None:
                counts[known] += 1.0
                continue
            total = self._unrelated + sum(part for _, _, part in self._parts(place))
            elsewhere[target] += self._unrelated / total
            for user, lag, part in self._parts(place):
                counts[user] += part / total
                lags[lag] += part / total
        for target, counts in gained.items():
            self._update(target, counts, elsewhere[target])
        if unknown := self._from.count(None):
            related = sum(lags) / unknown
            self.lag = [lag / unknown * min(1.0, _MOST_RELATED / related) for lag in lags] if related else lags

    def _update(self, target: int, counts: Mapping[int, float], elsewhere: float) -> None:
        old, of_others = self.affinity.get(target, {}), self.others.get(target, 1.0)
        weight = sum(counts.values()) + elsewhere + _PRIOR
        self.affinity[target] = {
            user: (counts.get(user, 0.0) / self.share[user] + elsewhere * old.get(user, of_others) + _PRIOR) / weight
            for user in counts.keys() | old.keys()
        }
        self.others[target] = (elsewhere * of_others + _PRIOR) / weight

    @property
    def _unrelated(self) -> float:
        return 1 - sum(self.lag)

    def _parts(self, place: int) -> Iterator[tuple[int, int, float]]:
        """User, distance, and how much what they receive there speaks for them (their share in all envelopes cancels out)."""
        users, lags = self._near[place]
        rate = (len(users) + 1) / (2 * BOUNDS[-1])
        speaks = [lag / (rate * width) for lag, width in zip(self.lag, _WIDTHS, strict=True)]
        affinity, others = self.affinity.get(self._to[place], {}), self.others.get(self._to[place], 1.0)
        for user, lag in zip(users, lags, strict=True):
            yield user, lag, affinity.get(user, others) * speaks[lag]

    def guess(self, place: int, truth: str) -> Guess:
        """The likeliest sender of an envelope."""
        target, known, true = self._to[place], self._from[place], self.number.get(truth, -1)
        by_volume = self.share[true] / (1 - self.share[target]) if true >= 0 else 0.0
        if known is not None:
            return Guess(self.names[known], float(known == true), by_volume)
        parts: defaultdict[int, float] = defaultdict(float)
        for user, _, part in self._parts(place):
            parts[user] += part
        affinity, others = self.affinity.get(target, {}), self.others.get(target, 1.0)
        for user in (parts.keys() | affinity.keys() | {true}) - {target, -1}:
            parts[user] += self._unrelated * affinity.get(user, others) * self.share[user]
        total = self._unrelated + sum(parts.values())
        mine = parts[true] / total if true >= 0 else 0.0
        likeliest = max(parts, key=lambda user: (parts[user], -user))
        return Guess(self.names[likeliest], min(1.0, mine), by_volume)
