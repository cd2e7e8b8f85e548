"""In the posture `sealed` there is no sender. Who writes to whom can still be guessed: whoever gets a letter answers it, if
only with a receipt, so that its sender gets something soon after (statistical disclosure: Danezis, 2003; against sealed
sender: Martiny, Kaptchuk, Aviv, Roche, Wustrow, 2021)."""

from collections import Counter
from collections.abc import Sequence
from math import sqrt
from typing import Final

from blindrelay.console.inference.graph import Pair
from blindrelay.console.inference.records import Record

#: So long after an envelope its sender may get something. Seconds; and no more than so many envelopes.
_WINDOW: Final = 600.0
_MOST: Final = 40


def guess(records: Sequence[Record]) -> dict[Pair, float]:
    """Pairs, each with how much more often the two receive one after the other than by chance. Senders are not looked at."""
    together: Counter[Pair] = Counter()
    rounds: Counter[str] = Counter()
    received: Counter[str] = Counter(record.recipient for record in records)
    for place, record in enumerate(records):
        soon = set()
        for following in records[place + 1 : place + 1 + _MOST]:
            if following.at - record.at > _WINDOW:
                break
            soon.add(following.recipient)
        soon.discard(record.recipient)
        rounds[record.recipient] += len(soon)
        together.update((min(record.recipient, each), max(record.recipient, each)) for each in soon)
    total = max(1, len(records))
    found: dict[Pair, float] = {}
    for (one, other), seen in together.items():
        expected = (rounds[one] * received[other] + rounds[other] * received[one]) / total
        score = (seen - expected) / sqrt(expected + 1)
        if score > 0:
            found[one, other] = score
    return found
