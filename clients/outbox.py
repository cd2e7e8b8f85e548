"""Sends what the key store holds, in order, until the relay has it.

A letter for a device leaves when the one before it, to that device, has been accepted. One at a time and device: the relay
may refuse a letter for the time being (quota, rate) and accept the next one, and the order would be lost. The envelopes of
one letter have numbers inside, so that a few of them travel together. Letters to different devices travel side by side, up
to the relay's Receive Maximum.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from blindrelay.clients.connection import Backoff
from blindrelay.clients.errors import ClientError, DeliveryRefused, Expired, StoreError
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.link import REFUSED, Settle
from blindrelay.clients.records import OutboxEntry
from blindrelay.clients.rpc import NOT_NOW
from blindrelay.protocol import topics
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.clock import Clock

logger = logging.getLogger("blindrelay.clients")

# Envelopes above this wait in the store, not in memory: forty parts of a mail to twenty devices are 200 MB. Bytes.
KEPT_IN_MEMORY: Final = 16_384
# So many envelopes of one letter are under way at once: enough to fill a group commit, 2 MiB at most.
TOGETHER: Final = 8
# Read this many at a time when starting; they are up to 256 KiB each.
PAGE: Final = 16


class Route(Protocol):
    """A connection that envelopes may leave by."""

    @property
    def free(self) -> int:
        """How many may leave now."""

    def post(self, topic: str, payload: bytes, message_id: bytes, expires_at: int, settle: Settle) -> None:
        """Let one leave."""


class NoRoute:
    """Nothing leaves by this one, for the time being."""

    free = 0

    def post(self, topic: str, payload: bytes, message_id: bytes, expires_at: int, settle: Settle) -> None:
        """Never called: nothing is free."""


#: None is the device's own connection, a user the anonymous connection for writing to them.
RouteKey = UserAddress | None


@dataclass(slots=True)
class _Waiting:
    sequence: int
    message_id: bytes
    content_id: bytes
    expires_at: int
    route: RouteKey
    envelope: bytes | None = field(repr=False)


@dataclass(slots=True)
class _Lane:
    """What is for one device: waiting, and under way (by sequence)."""

    recipient: DeviceAddress
    waiting: deque[_Waiting] = field(default_factory=deque)
    flying: dict[int, _Waiting] = field(default_factory=dict)
    queued: bool = False
    failures: int = 0
    pause: asyncio.TimerHandle | None = None

    def may_send(self) -> bool:
        """Whether its first message may leave as soon as its route has a place."""
        if not self.waiting or self.pause is not None:
            return False
        if not self.flying:
            return True
        other = next(iter(self.flying.values()))
        head = self.waiting[0]
        return len(self.flying) < TOGETHER and (head.content_id, head.route) == (other.content_id, other.route)

    def ground(self, *those: _Waiting) -> None:
        """These are to be sent again: put them back where they were."""
        for one in those:
            self.flying.pop(one.sequence, None)
        self.waiting = deque(sorted([*those, *self.waiting], key=lambda one: one.sequence))


@dataclass(frozen=True, slots=True)
class Departure:
    """What became of one envelope: accepted, or `error` says why not."""

    recipient: DeviceAddress
    content_id: bytes
    error: ClientError | None = None


class Outbox:
    """See the module.

    Args:
        routes: the connection for a route; it may not be up yet, then `pump` is called once it is.
        departed: told, once per envelope and after it has left the store.
    """

    def __init__(
        self,
        store: KeyStore,
        clock: Clock,
        *,
        routes: Callable[[RouteKey], Route],
        departed: Callable[[Departure], None],
        backoff: Backoff,
    ) -> None:
        self._store = store
        self._clock = clock
        self._routes = routes
        self._departed = departed
        self._backoff = backoff
        self._lanes: dict[DeviceAddress, _Lane] = {}
        self._ready: dict[RouteKey, deque[_Lane]] = {}
        self._settled: list[tuple[int, Departure]] = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._waiting = 0

    def load(self) -> None:
        """Take up what an earlier run of this device has left."""
        after = 0
        while entries := self._store.outbox(after, PAGE):
            self.add(entries)
            after = entries[-1].sequence

    def add(self, entries: Iterable[OutboxEntry]) -> None:
        """Send these, behind what waits already. They are in the store."""
        for entry in entries:
            lane = self._lanes.get(entry.recipient)
            if lane is None:
                lane = self._lanes[entry.recipient] = _Lane(entry.recipient)
            lane.waiting.append(
                _Waiting(
                    entry.sequence,
                    entry.message_id,
                    entry.content_id,
                    entry.expires_at,
                    entry.recipient.owner if entry.anonymous else None,
                    entry.envelope if len(entry.envelope) <= KEPT_IN_MEMORY else None,
                )
            )
            self._waiting += 1
            self._queue(lane)
        if self._waiting:
            self._idle.clear()
        self.pump()

    def pump(self, route: RouteKey = None, *, every: bool = True) -> None:
        """Let leave what may leave: by every route, or by one."""
        for key in list(self._ready) if every else [route]:
            ready = self._ready.get(key)
            if not ready:
                continue
            connection = self._routes(key)
            while ready and connection.free > 0:
                lane = ready.popleft()
                lane.queued = False
                # What it was queued for may have been grounded or given up since.
                if lane.may_send() and lane.waiting[0].route == key:
                    self._post(lane, connection)
                self._queue(lane)

    def reset(self, route: RouteKey) -> None:
        """What left by `route` and has no PUBACK leaves again, with the same id and bytes."""
        for lane in self._lanes.values():
            if flying := [one for one in lane.flying.values() if one.route == route]:
                lane.ground(*flying)
                self._queue(lane)

    async def drained(self) -> None:
        """Wait until nothing waits."""
        await self._idle.wait()

    def stop(self) -> None:
        """Forget everything; what waits is in the store, for `load`. The routes are closed: no more answers come."""
        for lane in self._lanes.values():
            if lane.pause is not None:
                lane.pause.cancel()
        self._flush()
        self._lanes.clear()
        self._ready.clear()
        self._waiting = 0

    def refuse(self, route: RouteKey, error: ClientError) -> None:
        """Nothing will leave by `route`: give up on what waits for it."""
        for lane in self._ready.pop(route, ()):
            lane.queued = False
        for lane in list(self._lanes.values()):
            flying = [one for one in lane.flying.values() if one.route == route]
            lane.ground(*flying)
            if lane.waiting and lane.waiting[0].route == route and lane.pause is not None:
                lane.pause.cancel()
                lane.pause = None
            while lane.waiting and lane.waiting[0].route == route:
                self._leave(lane, lane.waiting.popleft(), error)
            self._queue(lane)
        self.pump()

    def _queue(self, lane: _Lane) -> None:
        """Put `lane` among those that may send, if it may; forget it when there is nothing left in it."""
        if not lane.waiting and not lane.flying:
            self._lanes.pop(lane.recipient, None)
        elif not lane.queued and lane.may_send():
            lane.queued = True
            self._ready.setdefault(lane.waiting[0].route, deque()).append(lane)

    def _post(self, lane: _Lane, connection: Route) -> None:
        head = lane.waiting.popleft()
        if head.expires_at <= self._clock.now():
            self._leave(lane, head, Expired(f"the message for {lane.recipient} expired before it could be sent"))
            # The one behind it may leave by a route that has been looked at already.
            asyncio.get_running_loop().call_soon(self.pump)
            return
        envelope = head.envelope
        if envelope is None:
            envelope = self._store.outbox(head.sequence - 1, 1)[0].envelope
        lane.flying[head.sequence] = head

        def settle(code: int, reason: str) -> None:
            self._settle(lane, head, code, reason)

        connection.post(topics.to(lane.recipient), envelope, head.message_id, head.expires_at, settle)

    def _settle(self, lane: _Lane, one: _Waiting, code: int, reason: str) -> None:
        if lane.flying.get(one.sequence) is not one:
            return  # the answer to what was given up, or grounded, meanwhile
        if code in NOT_NOW:
            lane.ground(one)
            if lane.pause is None:
                lane.failures += 1
                self._pause(lane, self._backoff.delay(lane.failures))
        else:
            del lane.flying[one.sequence]
            lane.failures = 0
            self._leave(lane, one, DeliveryRefused(str(lane.recipient), code, reason) if code >= REFUSED else None)
            self._queue(lane)
        self.pump(one.route, every=False)
        if lane.waiting and lane.waiting[0].route != one.route:
            self.pump(lane.waiting[0].route, every=False)

    def _pause(self, lane: _Lane, seconds: float) -> None:
        def resume() -> None:
            lane.pause = None
            self._queue(lane)
            if lane.waiting:
                self.pump(lane.waiting[0].route, every=False)

        lane.pause = asyncio.get_running_loop().call_later(seconds, resume)

    def _leave(self, lane: _Lane, one: _Waiting, error: ClientError | None) -> None:
        self._waiting -= 1
        if not self._settled:
            # All PUBACKs of one read of the socket leave the store in one transaction.
            asyncio.get_running_loop().call_soon(self._flush)
        self._settled.append((one.sequence, Departure(lane.recipient, one.content_id, error)))

    def _flush(self) -> None:
        settled, self._settled = self._settled, []
        if not settled:
            return
        try:
            with self._store.transaction():
                for sequence, _ in settled:
                    self._store.dequeue(sequence)
        except StoreError as error:
            # They stay in the store and go out once more after the next start: the recipient knows their ids.
            logger.warning("the outbox could not be cleared: %s", error)
        for _, departure in settled:
            self._departed(departure)
        if not self._waiting:
            self._idle.set()
