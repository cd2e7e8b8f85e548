"""Wake-ups over NATS: core NATS, no stream. Servers that cannot be reached are tried for ever, and nothing waits for them."""

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nats
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from blindrelay.relay.cluster.wakes import Woken

# How long a server that does not answer is waited for, and how long it is waited before they are all tried again. Seconds.
_PATIENCE: Final = 2
_RETRY: Final = 1.0
# A connection on which nothing comes is asked for a sign of life; two that are missed are its end. Seconds.
_PING: Final = 2

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NatsAccess:
    """Where the servers are, and what they are shown.

    Attributes:
        servers: URLs, `nats://` or `tls://`.
        ca: certificates (PEM) that sign the servers'; None: those that the system trusts, where a server asks for TLS.
        credentials: a credentials file (JWT and seed), as `nsc` writes it.
        token: a file with a token.
    """

    servers: Sequence[str]
    ca: Path | None = None
    credentials: Path | None = None
    token: Path | None = None

    def options(self) -> dict[str, Any]:
        """The same for `Client.connect`. Raises `OSError`, `ssl.SSLError`, `UnicodeDecodeError`: a file cannot be used."""
        options: dict[str, Any] = {"servers": list(self.servers)}
        if self.ca is not None:
            options["tls"] = ssl.create_default_context(cafile=str(self.ca))
        if self.credentials is not None:
            self.credentials.read_bytes()
            options["user_credentials"] = str(self.credentials)
        if self.token is not None:
            options["token"] = self.token.read_text("ascii").strip()
        return options


class NatsWakes:
    """`Wakes` over NATS."""

    def __init__(self, access: NatsAccess, name: str) -> None:
        self._options = access.options()
        self._name = name
        self._listeners: list[tuple[str, Woken]] = []
        self._client: Client | None = None
        self._out: dict[str, None] = {}  # in order, each once
        self._has_news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_lost = False

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection to one of the servers."""
        return self._client is not None and self._client.is_connected

    def wake(self, subject: str) -> None:
        """See `Wakes`. What is said twice before it is sent is said once."""
        if self._client is not None:
            self._out[subject] = None
            self._has_news.set()

    def listen(self, subject: str, woken: Woken) -> None:
        """See `Wakes`."""
        self._listeners.append((subject, woken))

    async def start(self) -> None:
        """See `Wakes`."""
        self._tasks = [asyncio.create_task(self._stay_connected()), asyncio.create_task(self._send())]

    async def stop(self) -> None:
        """See `Wakes`."""
        self._is_lost = True  # which is no news
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _stay_connected(self) -> None:
        while True:
            client = Client()
            closed = asyncio.Event()
            try:
                # Tries its servers in turn, for as long as it takes.
                await client.connect(
                    **self._options,
                    name=self._name,
                    connect_timeout=_PATIENCE,
                    ping_interval=_PING,
                    reconnect_time_wait=1,
                    max_reconnect_attempts=-1,
                    # What could not be sent at once is late, and is looked for by then: nothing is kept for later.
                    pending_size=0,
                    error_cb=self._failed,
                    disconnected_cb=self._lost,
                    reconnected_cb=self._found,
                    closed_cb=_setting(closed),
                )
                for subject, woken in self._listeners:
                    await client.subscribe(subject, cb=_handler(woken))
                self._client = client
                await self._found()
                await closed.wait()  # not let in any more, for one
            except (OSError, nats.errors.Error) as error:
                await self._failed(error)
            finally:
                self._client = None
                await client.close()
            await asyncio.sleep(_RETRY)

    async def _failed(self, error: Exception) -> None:
        if not self._is_lost and not self.is_connected:
            self._is_lost = True
            _log.warning("nats cannot be reached: nodes look for news by themselves", error=type(error).__name__)

    async def _lost(self) -> None:
        await self._failed(ConnectionError())

    async def _found(self) -> None:
        self._is_lost = False
        _log.info("nats is connected")

    async def _send(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            out, self._out = self._out, {}
            client = self._client
            if client is None or not client.is_connected:
                continue
            with contextlib.suppress(OSError, nats.errors.Error):
                for subject in out:
                    await client.publish(subject)


def _handler(woken: Woken) -> Any:
    async def handle(message: Msg) -> None:
        woken(message.subject)

    return handle


def _setting(event: asyncio.Event) -> Any:
    async def set_it() -> None:
        event.set()

    return set_it
