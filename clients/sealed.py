"""Anonymous connections, one per person written to, for the posture `sealed`.

The relay learns that somebody who holds bob's delivery token writes to bob, and nothing about who. That is worth nothing if
the connection gives the writer away, so it: has no client id and no session, shares no TLS context with the device's own
connection, is not opened in the moment in which the person pressed the key, carries the look-ups and prekey claims for that
recipient too, and ends a random while after its last use. About our own devices nothing is asked at that time, and what goes
to them goes later. It cannot hide the network address: that is for Tor or a proxy.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from blindrelay.clients.connection import Backoff, Connection, Credentials
from blindrelay.clients.errors import ClientError, NoDeliveryToken
from blindrelay.clients.link import Inbound, Settle
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.clients.rpc import Request, Response
from blindrelay.clients.tls import anonymous_context
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.credentials import DeliveryToken
from blindrelay.protocol.rpc import Method


@dataclass(frozen=True, slots=True)
class Hygiene:
    """The pauses of posture `sealed`. Each is drawn evenly between two bounds, seconds.

    Attributes:
        opening: before a connection is opened.
        receipt: before a receipt is sent, and before copies leave for our own other devices. Who receives something soon after
            somebody else got an anonymous letter has written it (Martiny et al.: Improving Signal's Sealed Sender, 2021): the
            while must be long against the time between two letters of a company.
        idle: after the last use of a connection, before it is closed.
    """

    opening: tuple[float, float] = (0.05, 0.5)
    receipt: tuple[float, float] = (60.0, 1_800.0)
    idle: tuple[float, float] = (15.0, 45.0)
    chance: Callable[[], float] = field(default=random.SystemRandom().random, repr=False)

    def draw(self, bounds: tuple[float, float]) -> float:
        """A random number between `bounds`."""
        low, high = bounds
        return low + (high - low) * self.chance()


@dataclass(frozen=True, slots=True)
class Events:
    """Whom the routes tell: `up` that envelopes may leave (unanswered ones again), `refused` that none will."""

    up: Callable[[UserAddress], None]
    refused: Callable[[UserAddress, ClientError], None]


class SealedRoute:
    """The anonymous connection to one person's devices, while there is one."""

    def __init__(self, user: UserAddress, connection: Connection, owner: "SealedRoutes") -> None:
        self._user = user
        self._connection = connection
        self._owner = owner
        self._busy = 0
        self._closing: asyncio.TimerHandle | None = None
        self.opening: asyncio.TimerHandle | None = None

    @property
    def free(self) -> int:
        """How many envelopes may leave now."""
        return self._connection.free

    def post(self, topic: str, payload: bytes, message_id: bytes, expires_at: int, settle: Settle) -> None:
        """Let one leave."""
        self._use()

        def done(code: int, reason: str) -> None:
            self._release()
            settle(code, reason)

        self._connection.post(topic, payload, message_id, expires_at, done)

    async def call(self, method: Method[Request, Response], request: Request, timeout: float | None = None) -> Response:
        """Ask the relay; see `Connection.call`."""
        self._use()
        try:
            return await self._connection.call(method, request, timeout)
        finally:
            self._release()

    def _use(self) -> None:
        self._busy += 1
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    def _release(self) -> None:
        self._busy -= 1
        self.let_go()

    def let_go(self) -> None:
        """Close after a while, if nobody needs it by then."""
        if self._busy <= 0 and self._closing is None:
            hygiene = self._owner.hygiene
            self._closing = asyncio.get_running_loop().call_later(
                hygiene.draw(hygiene.idle), self._owner.close, self._user
            )

    # --- what the connection tells (`connection.Observer`)

    def up(self, resumed: bool) -> None:
        """Envelopes may leave; there is no session, so what had no answer leaves again."""
        self._busy = 0
        self._owner.events.up(self._user)
        self.let_go()

    def down(self) -> None:
        """It comes back by itself."""

    def nudged(self) -> None:
        """An anonymous connection is told nothing."""

    def received(self, inbound: Inbound) -> None:
        """An anonymous connection has no inbox."""

    def finished(self, error: ClientError) -> None:
        """The relay does not let us in: the token is not, or no longer, theirs."""
        self._owner.events.refused(self._user, error)

    async def stop(self) -> None:
        """Close the connection."""
        for handle in (self.opening, self._closing):
            if handle is not None:
                handle.cancel()
        await self._connection.stop()

    def begin(self) -> None:
        """Open the connection."""
        self.opening = None
        self._connection.begin()


class SealedRoutes:
    """All anonymous connections of a device.

    Args:
        token: the delivery token of a user, if we have it.
    """

    def __init__(
        self,
        relay: RelayAddress,
        clock: Clock,
        *,
        token: Callable[[UserAddress], DeliveryToken | None],
        events: Events,
        hygiene: Hygiene,
        backoff: Backoff,
        timeout: float,
    ) -> None:
        self.hygiene = hygiene
        self.events = events
        self._relay = relay
        self._clock = clock
        self._token = token
        self._backoff = backoff
        self._timeout = timeout
        self._routes: dict[UserAddress, SealedRoute] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def to(self, user: UserAddress) -> SealedRoute:
        """The connection for writing to `user`, opened soon if there is none; raise `NoDeliveryToken`."""
        route = self._routes.get(user)
        if route is not None:
            return route
        token = self._token(user)
        if token is None:
            raise NoDeliveryToken(
                f"{user} cannot be written to anonymously yet: their delivery token comes with their first message to you; "
                "write to them in the standard posture, and again once they have answered"
            )
        # Fresh on purpose: a context keeps TLS sessions.
        credentials = Credentials(anonymous_context(self._relay.ca), username=str(user), password=token.value)
        connection = Connection(
            self._relay.host,
            self._relay.port,
            credentials,
            clock=self._clock,
            backoff=self._backoff,
            timeout=self._timeout,
        )
        route = self._routes[user] = SealedRoute(user, connection, self)
        connection.observe(route)
        route.opening = asyncio.get_running_loop().call_later(self.hygiene.draw(self.hygiene.opening), route.begin)
        return route

    def close(self, user: UserAddress) -> None:
        """Close the connection to `user` in the background."""
        route = self._routes.pop(user, None)
        if route is not None:
            task = asyncio.get_running_loop().create_task(route.stop())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def stop(self) -> None:
        """Close them all."""
        for user in list(self._routes):
            self.close(user)
        if self._closing:
            await asyncio.wait(self._closing)
