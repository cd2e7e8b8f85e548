"""How much is too much: token buckets on the monotonic clock.

A bucket may be overdrawn: the message is taken (it has arrived already) and the connection is not read until the debt is
paid, so TCP slows the sender down and nobody else. A sender that stays at its limit for longer than `patience` is told to
go: DISCONNECT 0x96. When all devices of a tenant together do so, nobody of them is sent away for the others: what is over
the tenant's limit is refused, PUBACK 0x97, until it has been well below it.
"""

import math
import resource
from collections.abc import Hashable
from typing import Final
from weakref import WeakKeyDictionary

from blindrelay.protocol.clock import Clock
from blindrelay.relay import config
from blindrelay.relay.identity import DeviceIdentity, SealedSender

#: What `Limits.sending` says of a message that is over the limit of its whole tenant: not taken, and no debt either.
REFUSED: Final = -math.inf
# How many addresses are remembered for their handshake rate: past this, those whose bucket is full again are forgotten.
MAX_ADDRESSES: Final = 65_536
# Open files that are no connections: the database, its journal and readers, the event loop, what embeds us.
_OTHER_FILES: Final = 64


class Bucket:
    """Tokens that come back at `rate` per second, up to `burst`.

    Attributes:
        since: when it began to be overdrawn without a real pause; infinite when it is not.
        taken: what has been taken out of it here, for whoever has to tell other nodes.
    """

    __slots__ = ("_burst", "_rate", "_tokens", "_updated", "since", "taken")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = self._burst
        self._updated = now
        self.since = math.inf
        self.taken = 0

    def try_take(self, now: float, cost: float = 1.0) -> bool:
        """Take `cost` tokens if they are there."""
        tokens = self._refill(now)
        if tokens < cost:
            return False
        self._tokens = tokens - cost
        return True

    def take(self, now: float) -> float:
        """Take one token, on credit if need be; return after how many seconds the debt is paid."""
        # `_refill` written out: this is the path of a message.
        tokens = self._tokens + (now - self._updated) * self._rate
        if tokens > self._burst:  # noqa: PLR1730 - `min` costs three times as much, and this is the message path
            tokens = self._burst
        self._updated = now
        self._tokens = tokens = tokens - 1.0
        if tokens >= 0.0:
            return 0.0
        return -tokens / self._rate

    def charge(self, now: float, cost: float) -> None:
        """Take `cost` tokens that have been taken elsewhere, on credit if need be."""
        self._tokens = self._refill(now) - cost

    def overdrawn_for(self, now: float) -> float:
        """To be asked whenever `take` found a debt: for how long that has been so, without the bucket half full again."""
        self.since = min(self.since, now)
        return now - self.since

    def rest(self) -> None:
        """Forget how long it has been overdrawn, if it is half full again."""
        if self._tokens >= self._burst / 2:
            self.since = math.inf

    def is_full(self, now: float) -> bool:
        """Whether nothing has been taken for so long that it may be forgotten."""
        return self._refill(now) >= self._burst

    def _refill(self, now: float) -> float:
        self._tokens = min(self._burst, self._tokens + (now - self._updated) * self._rate)
        self._updated = now
        return self._tokens


class Limits:
    """All limits of one relay. See `config.Limits` for what they are, and `ports.Limits` for what the exchange asks."""

    def __init__(self, settings: config.Limits, clock: Clock) -> None:
        self._settings = settings
        self._monotonic = clock.monotonic
        self._devices: dict[int, tuple[Bucket, Bucket]] = {}  # its own and its tenant's
        self._tenants: dict[str, Bucket] = {}
        self._sealed: WeakKeyDictionary[SealedSender, tuple[Bucket, Bucket]] = WeakKeyDictionary()
        self._requests: dict[Hashable, Bucket] = {}
        self._claims: dict[Hashable, Bucket] = {}
        self._handshakes: dict[str, Bucket] = {}
        self._connections: dict[str, int] = {}
        self.connections = 0

    # Connections.

    def connecting(self, address: str) -> bool:
        """Whether this address may have another TLS handshake now. Called once for each accepted TCP connection."""
        settings = self._settings
        mine = self._connections.get(address, 0)
        if self.connections >= settings.max_connections or mine >= settings.connections_per_address:
            return False
        now = self._monotonic()
        bucket = self._handshakes.get(address)
        if bucket is None:
            self._forget_addresses(now)
            bucket = self._handshakes[address] = Bucket(settings.handshake_rate, settings.handshake_burst, now)
        if not bucket.try_take(now):
            return False
        self._connections[address] = mine + 1
        self.connections += 1
        return True

    def disconnected(self, address: str) -> None:
        """A connection for which `connecting` said yes has ended."""
        left = self._connections[address] - 1
        self.connections -= 1
        if left:
            self._connections[address] = left
        else:
            del self._connections[address]

    def _forget_addresses(self, now: float) -> None:
        if len(self._handshakes) >= MAX_ADDRESSES:
            self._handshakes = {key: bucket for key, bucket in self._handshakes.items() if not bucket.is_full(now)}

    # Messages.

    def sending(self, identity: Hashable, size: int) -> float:
        """Charge one PUBLISH; return how many seconds its sender's connection is not to be read.

        0.0 within the limits. `math.inf`: at the limit for so long that the connection ends with DISCONNECT 0x96.
        `REFUSED`: its tenant has been at its own for so long that this message is refused, PUBACK 0x97.
        """
        if type(identity) is DeviceIdentity:
            buckets = self._devices.get(identity.account_id)
        elif type(identity) is SealedSender:
            buckets = self._sealed.get(identity)
        else:  # administrators and registrars send requests alone; those are charged by `asking`
            return 0.0
        now = self._monotonic()
        own, shared = buckets or self._new_sender(identity, now)
        pause = own.take(now)
        if pause:
            if own.overdrawn_for(now) > self._settings.patience:
                return math.inf
        elif own.since != math.inf:
            own.rest()
        # What the others of its tenant do slows a sender down, or has a message refused; it is not sent away for it.
        if shared.since != math.inf and now - shared.since > self._settings.patience:
            if not shared.try_take(now):
                return REFUSED
            shared.taken += 1
            shared.rest()
            return pause
        shared.taken += 1
        others = shared.take(now)
        if others:
            shared.overdrawn_for(now)
        elif shared.since != math.inf:
            shared.rest()
        return others if others > pause else pause  # noqa: FURB136 - `max` costs as much as a bucket

    # With other nodes.

    def taken(self) -> dict[str, int]:
        """What the devices of each tenant have sent through this node, since it started."""
        return {tenant: bucket.taken for tenant, bucket in self._tenants.items()}

    def charge(self, tenant: str, count: int) -> None:
        """The tenant's devices have sent so much through other nodes."""
        bucket = self._tenants.get(tenant)
        if bucket is not None:
            bucket.charge(self._monotonic(), count)

    def _new_sender(self, identity: DeviceIdentity | SealedSender, now: float) -> tuple[Bucket, Bucket]:
        shared = self._tenants.get(identity.tenant)
        if shared is None:
            shared = self._tenants[identity.tenant] = self._bucket("tenant", now)
        if isinstance(identity, DeviceIdentity):
            buckets = self._devices[identity.account_id] = (self._bucket("device", now), shared)
        else:
            buckets = self._sealed[identity] = (self._bucket("sealed", now), shared)
        return buckets

    def _bucket(self, kind: str, now: float) -> Bucket:
        return Bucket(getattr(self._settings, f"{kind}_rate"), getattr(self._settings, f"{kind}_burst"), now)

    # Requests.

    def asking(self, identity: Hashable, cost: float = 1.0) -> bool:
        """Whether this identity may make another request now, one that costs as much as `cost` ordinary ones."""
        return self._charge(self._requests, "request", identity, cost)

    def claiming(self, identity: Hashable, count: int) -> bool:
        """Whether this identity may take `count` prekeys now."""
        return self._charge(self._claims, "claim", identity, count)

    def _charge(self, buckets: dict[Hashable, Bucket], kind: str, identity: Hashable, cost: float) -> bool:
        now = self._monotonic()
        bucket = buckets.get(identity)
        if bucket is None:
            bucket = buckets[identity] = self._bucket(kind, now)
            if len(buckets) >= MAX_ADDRESSES:
                for key in [key for key, other in buckets.items() if other is not bucket and other.is_full(now)]:
                    del buckets[key]
        return bucket.try_take(now, cost)


def within_open_files(limits: config.Limits) -> config.Limits:
    """A connection is an open file: past the process's limit the store could not open one of its own (class M11)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return limits
    return limits.model_copy(update={"max_connections": max(1, min(limits.max_connections, soft - _OTHER_FILES))})
