"""What a relay does now and then, by itself: nobody stays past the end of a certificate, and what has expired is deleted."""

import asyncio
import contextlib
from collections.abc import Callable, Collection
from typing import Final

from blindrelay.protocol.clock import Clock
from blindrelay.relay.errors import StoreError
from blindrelay.relay.exchange import Exchange
from blindrelay.relay.identity import AdministratorIdentity, DeviceIdentity
from blindrelay.relay.peer import Peer
from blindrelay.relay.retention import Purge

# How late the end of a certificate may be noticed on a connection that is silent. Seconds.
GUARD_INTERVAL: Final = 0.5
# How late what has expired is deleted. Seconds.
SWEEP_INTERVAL: Final = 60.0
# How late the purge job may find that a retention window, of days, has passed. Seconds.
PURGE_INTERVAL: Final = 3_600.0


class Guard:
    """Ends the sessions of certificates that expire while connected.

    Args:
        clock: what time it is.
        eject: closes every connection whose identity no longer stands.
    """

    def __init__(self, clock: Clock, eject: Callable[[], None]) -> None:
        self._clock = clock
        self._eject = eject
        self._next_expiry = float("inf")

    def until(self, expires_at: float) -> None:
        """Somebody comes in whose certificate ends then."""
        self._next_expiry = min(self._next_expiry, expires_at)

    async def watch(self, peers: Collection[Peer]) -> None:
        """Look at the clock, for ever. `peers`: who is connected, as that changes."""
        while True:
            await asyncio.sleep(GUARD_INTERVAL)
            if self._clock.now() >= self._next_expiry:
                self._eject()
                self._next_expiry = _first_end(peers)


def _first_end(peers: Collection[Peer]) -> float:
    certified = (peer.identity for peer in peers if isinstance(peer.identity, DeviceIdentity | AdministratorIdentity))
    return min((identity.expires_at for identity in certified), default=float("inf"))


async def sweep(exchange: Exchange) -> None:
    """Delete what has expired, every minute."""
    while True:
        await asyncio.sleep(SWEEP_INTERVAL)
        with contextlib.suppress(StoreError):  # full: the next time. Failed: somebody else says so
            await exchange.sweep()


async def purge(retention: Purge) -> None:
    """Delete the records whose retention window has passed: at the start, and then every hour."""
    while True:
        with contextlib.suppress(StoreError):
            await retention.run()
        await asyncio.sleep(PURGE_INTERVAL)


async def forget_rings(exchange: Exchange) -> None:
    """Forget what has not been used for a minute: of several nodes, each does that much for itself."""
    while True:
        await asyncio.sleep(SWEEP_INTERVAL)
        exchange.forget_rings()
