"""What has happened since the start, as plain numbers: added to where it happens, read by whoever shows them.

No library's, because they are on the message path: an addition per commit, and per bundle of acknowledgements. They hold
nothing about anybody; each is declared, with its labels, in `blindrelay.relay.inventory.metrics`.
"""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from blindrelay.relay.identity import AdministratorIdentity, DeviceIdentity, Registrar, SealedSender

#: What connections there are, by who has been admitted.
KINDS: Final[dict[type, str]] = {
    DeviceIdentity: "device",
    SealedSender: "sealed",
    AdministratorIdentity: "administrator",
    Registrar: "registrar",
}
#: Upper bounds of a commit's time: a sync on a good disk takes 0.2 ms, and a batch at full load 30 ms. Seconds.
COMMIT_BOUNDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


def kind_of(identity: object) -> str:
    """One of `KINDS`."""
    return KINDS.get(type(identity), "other")


class Timing:
    """A distribution of times: how many were at most each of `bounds`."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Add one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """The smallest bound that `share` (0 to 1) of them kept to; infinite beyond the last, None without any."""
        wanted, seen = share * self.count, 0
        if not wanted:
            return None
        for bound, count in zip(self.bounds, self.counts, strict=False):
            seen += count
            if seen >= wanted:
                return bound
        return float("inf")


@dataclass(slots=True)
class Counts:
    """See the module.

    Attributes:
        accepted, delivered: messages that are durable; messages that a recipient has acknowledged.
        refused: PUBLISHes, by the reason code of their PUBACK.
        admitted, turned_away: connections by kind, and by the reason code of their CONNACK.
        ended: connections that the relay has ended, by the reason code of its DISCONNECT.
        commits: how long each took. outcomes: what became of them.
    """

    accepted: int = 0
    delivered: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    admitted: Counter[str] = field(default_factory=Counter)
    turned_away: Counter[int] = field(default_factory=Counter)
    ended: Counter[int] = field(default_factory=Counter)
    commits: Timing = field(default_factory=lambda: Timing(COMMIT_BOUNDS))
    outcomes: Counter[str] = field(default_factory=Counter)
