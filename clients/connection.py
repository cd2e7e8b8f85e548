"""A connection that stays: it reconnects by itself, resumes, and carries requests and answers beside the messages. A relay that
stops and names another server is followed there.

What it will not do: keep messages. Whoever posts through it has them in a store, and posts them again after `up(False)`.
"""

import asyncio
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from blindrelay.clients.elsewhere import Elsewhere, Place
from blindrelay.clients.errors import (
    AdmissionRefused,
    ClientError,
    Closed,
    ConnectionLost,
    RelayUnreachable,
    RequestRefused,
    TimedOut,
)
from blindrelay.clients.link import Ending, Inbound, Link, PublishProperties, Session, Settle
from blindrelay.clients.rpc import BUSY, Request, Requests, Response
from blindrelay.protocol import topics
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.rpc import Method

# CONNACK codes after which trying again cannot help (MQTT 5, 2.4): protocol version, client id, user name or password, not
# authorised, banned, authentication method.
FINAL: Final = frozenset({0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C})
# DISCONNECT 0x8E: another process is this device now; two that take the session from one another would never end.
SESSION_TAKEN_OVER: Final = 0x8E
# Requests wait for one another at the relay's Receive Maximum; a few places are theirs so that mail does not starve them.
RESERVED: Final = 4


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next attempt: exponential with jitter, so that a relay that comes back after an
    outage does not meet all its clients in the same second. Seconds."""

    first: float = 0.2
    most: float = 30.0
    #: A connection that lasted this long counts as a success.
    settled: float = 5.0
    chance: Callable[[], float] = field(default=random.random, repr=False)

    def delay(self, failures: int) -> float:
        """The pause after `failures` attempts in a row (1 or more) that did not last."""
        longest = min(self.most, self.first * 2.0 ** min(failures - 1, 16))
        return longest * (0.5 + self.chance() / 2)


class Observer(Protocol):
    """Who is told what happens. Everything is called on the event loop; nothing may wait or raise."""

    def up(self, resumed: bool) -> None:
        """The relay lets us in. Unless `resumed`, everything that has no PUBACK is to be posted again."""

    def down(self) -> None:
        """The connection is over; unacknowledged messages will come again."""

    def received(self, inbound: Inbound) -> None:
        """A message from the inbox. It comes again until `acknowledge`."""

    def nudged(self) -> None:
        """The relay has something to say, to whoever asks for it (`notices`)."""

    def finished(self, error: ClientError) -> None:
        """The connection will not come back: the relay said something final."""


class SilentObserver:
    """For connections that only ask."""

    def up(self, resumed: bool) -> None:
        """Nothing to post."""

    def down(self) -> None:
        """Nothing to forget."""

    def received(self, inbound: Inbound) -> None:
        """No inbox was subscribed to."""

    def nudged(self) -> None:
        """Nobody waits for it."""

    def finished(self, error: ClientError) -> None:
        """Whoever asks is told by the error of their request."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client shows: a certificate (in `context`), or a user name and password, or both empty."""

    context: ssl.SSLContext = field(repr=False)
    client_id: str = ""
    username: str | None = None
    password: bytes | None = field(default=None, repr=False)
    # A month: as long as the relay may keep a message (protocol.sizes.MAX_TTL). Seconds.
    session_expiry: int = 0
    inbox: str | None = None


class Connection:
    """See the module. `start`, then `stop`; in between it looks after itself.

    Args:
        timeout: seconds for each step: connecting, subscribing, and a request that names no time of its own.
    """

    def __init__(
        self,
        host: str,
        port: int,
        credentials: Credentials,
        *,
        clock: Clock,
        backoff: Backoff | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._credentials = credentials
        self._clock = clock
        self._observer: Observer = SilentObserver()
        self._backoff = backoff or Backoff()
        self._timeout = timeout
        self._ready = asyncio.Event()
        self._ending: asyncio.Future[Ending] | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._error: ClientError | None = None
        self._client_id = credentials.client_id
        self._subscribed = False
        self._elsewhere = Elsewhere(Place(host, port))
        self._link = Link(
            host,
            port,
            credentials.context,
            client_id=credentials.client_id,
            session_expiry=credentials.session_expiry,
            username=credentials.username,
            password=credentials.password,
            received=self._received,
            ended=self._ended,
            timeout=timeout,
        )
        self._requests = Requests(self._link, clock)

    def observe(self, observer: Observer) -> None:
        """Tell `observer` what happens from now on."""
        self._observer = observer

    async def start(self) -> None:
        """Connect; from then on stay connected until `stop`. Cancelling leaves nothing open.

        Raises:
            RelayUnreachable, AdmissionRefused, TimedOut, ConnectionLost: the first attempt failed, and no other follows, except
                to where the relay itself has sent us.
        """
        try:
            await self._connect()
        except AdmissionRefused as refused:
            if not self._elsewhere.told(refused.elsewhere):
                raise
            await self._connect()
        self.begin()

    def begin(self) -> None:
        """As `start`, but failures of the first attempt are retried like all others. See `ready`."""
        self._supervisor = asyncio.create_task(self._stay())

    async def stop(self) -> None:
        """Disconnect after everything posted is written. Requests under way end with `Closed`."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
            self._supervisor = None
        self._error = self._error or Closed("the connection is closed")
        self._requests.fail(self._error)
        self._ready.set()  # whoever waits for the connection wakes up and finds the error
        await self._link.close()

    @property
    def up(self) -> bool:
        """Whether the connection stands at this moment."""
        return self._ready.is_set() and self._error is None

    @property
    def error(self) -> ClientError | None:
        """Why the connection will not come back, if so."""
        return self._error

    @property
    def free(self) -> int:
        """How many messages may be posted now."""
        return max(0, self._link.free - RESERVED) if self._ready.is_set() else 0

    def post(self, topic: str, payload: bytes, message_id: bytes, expires_at: int, settle: Settle) -> None:
        """Post an envelope; `free` must be positive. See `Link.post` for `settle`."""
        properties = PublishProperties(message_id, expires_at=expires_at, clock=self._clock)
        self._link.post(topic, payload, properties, settle)

    def acknowledge(self, inbound: Inbound) -> None:
        """Tell the relay that `inbound` is stored."""
        self._link.acknowledge(inbound)

    def break_off(self) -> None:
        """Drop the connection and come back after a pause: the answer when a message cannot be stored (profile, D11)."""
        self._link.drop()
        self._ended(Ending(None, "we broke it off"))

    async def ready(self) -> None:
        """Wait until the connection stands; raise what ended it for good."""
        while not self._ready.is_set():
            if self._error is not None:
                raise self._error
            await self._ready.wait()
        if self._error is not None:
            raise self._error

    async def call(self, method: Method[Request, Response], request: Request, timeout: float | None = None) -> Response:
        """Ask the relay. A lost connection is waited for, a busy relay asked again, within `timeout` seconds.

        Every method may be repeated: at worst a prekey is claimed and not used. Cancelling forgets the answer.

        Raises:
            RequestRefused (UnknownRecipient): the relay says no, and why.
            TimedOut: no answer in time.
            AdmissionRefused, Closed: the connection will not come back.
        """
        allowed = self._timeout if timeout is None else timeout
        try:
            async with asyncio.timeout(allowed):
                failures = 0
                while True:
                    await self.ready()
                    try:
                        return await self._requests.ask(method, request, self._client_id)
                    except ConnectionLost:
                        continue
                    except RequestRefused as refused:
                        if refused.code not in BUSY:
                            raise
                    failures += 1
                    await asyncio.sleep(self._backoff.delay(failures))
        except TimeoutError as error:
            if isinstance(error, TimedOut):
                raise
            raise TimedOut(f"the relay did not answer {method.name} in {allowed:g} s") from error

    # --- staying connected

    async def _connect(self) -> None:
        ending = self._ending = asyncio.get_running_loop().create_future()
        self._link.go_to(*self._elsewhere.here)
        session = await self._link.open()
        try:
            await self._subscribe(session, ending)
        except BaseException:
            self._link.drop()
            raise
        self._ready.set()
        self._observer.up(session.resumed)

    async def _subscribe(self, session: Session, ending: "asyncio.Future[Ending]") -> None:
        self._client_id = session.client_id
        self._subscribed = self._subscribed and session.resumed
        if self._subscribed:
            return
        inbox = self._credentials.inbox
        # The reply topic first: when the inbox begins to flow, a look-up may be needed at once.
        filters = [topics.reply(session.client_id), *([inbox] if inbox else [])]
        subscribing = asyncio.ensure_future(self._link.subscribe_to(filters))
        # aiomqtt waits for SUBACK until its time-out, connection or not.
        ending.add_done_callback(lambda _: subscribing.cancel())
        try:
            await asyncio.wait([subscribing])
        finally:
            subscribing.cancel()
        if ending.done():
            raise ConnectionLost(f"the relay ended the connection: {ending.result().reason}")
        subscribing.result()
        self._subscribed = True

    async def _stay(self) -> None:
        failures = 0
        first = self._ending is None
        while True:
            if self._ending is not None:
                since = self._clock.monotonic()
                ending = await self._ending
                if self._clock.monotonic() - since >= self._backoff.settled:
                    failures = 0
                # Other codes may be as final, but it is the next CONNACK that says why: revoked, expired, unknown.
                if ending.code == SESSION_TAKEN_OVER:
                    self._finish(AdmissionRefused(ending.code, ending.reason))
                    return
                self._elsewhere.told(ending.elsewhere)
            if not first:
                failures += 1
                await asyncio.sleep(self._backoff.delay(failures))
            first = False
            try:
                await self._connect()
            except AdmissionRefused as refused:
                if refused.code in FINAL:
                    self._finish(refused)
                    return
                self._elsewhere.failed()
                self._elsewhere.told(refused.elsewhere)
                self._ending = None
            except (RelayUnreachable, ConnectionLost, TimedOut):
                self._elsewhere.failed()
                self._ending = None

    def _finish(self, error: ClientError) -> None:
        self._error = error
        self._requests.fail(error)
        self._ready.set()  # whoever waits for the connection wakes up and finds the error
        self._observer.finished(error)

    def _ended(self, ending: Ending) -> None:
        was_ready = self._ready.is_set()
        self._ready.clear()
        if self._ending is not None and not self._ending.done():
            self._ending.set_result(ending)
        self._requests.fail(ConnectionLost(f"the connection ended: {ending.reason}"))
        if was_ready:
            self._observer.down()

    def _received(self, inbound: Inbound) -> None:
        if not inbound.topic.startswith(topics.REPLY):
            self._observer.received(inbound)
            return
        self._link.acknowledge(inbound)
        if inbound.correlation:
            self._requests.answered(inbound)
        else:
            self._observer.nudged()
