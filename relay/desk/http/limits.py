"""How much the doors take, from whom, and how long they wait."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from blindrelay.policies.exchange import MAX_CALL
from blindrelay.protocol.clock import Clock
from blindrelay.relay.https import ServerLimits
from blindrelay.relay.limits import Bucket

# How many addresses and authorities are remembered: past this, those who have not come for a while are forgotten.
_MAX_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class DoorLimits(ServerLimits):
    """Rates are per second, a burst is what may come at once, times are in seconds.

    An authority is a few people with a program: it hands in some requests a day, and looks how they stand.
    """

    body: int = MAX_CALL
    #: One address, before anything is known of who calls. A check of a call costs 0.3 ms.
    address_rate: float = 20
    address_burst: int = 400
    #: One authority. Two hundred real-time orders are taken up at once after a restart.
    authority_rate: float = 5
    authority_burst: int = 300
    #: Refused calls that become rows of the case file: each costs a sync of the disk. Those above are counted.
    record_rate: float = 1
    record_burst: int = 100
    #: For the body: 256 KiB in this time is a line of 210 kbit/s.
    body_seconds: float = 10
    #: For a piece of the answer to leave, however slowly it is read. A package goes in pieces of 64 KiB.
    send_seconds: float = 20
    #: How often a silent stream says that it is still there.
    beat_seconds: float = 15


class Gauge:
    """Token buckets by key, on the monotonic clock."""

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self._rate = rate
        self._burst = burst
        self._now = clock.monotonic
        self._buckets: dict[Hashable, Bucket] = {}

    def allows(self, key: Hashable) -> bool:
        """Take one token of `key`'s, if there is one."""
        now = self._now()
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _MAX_REMEMBERED:
                self._buckets = {key: other for key, other in self._buckets.items() if not other.is_full(now)}
            bucket = self._buckets[key] = Bucket(self._rate, self._burst, now)
        return bucket.try_take(now)

    @property
    def retry_after(self) -> int:
        """After how many seconds there is a token again, whoever asks."""
        return max(1, round(1 / self._rate))
