"""Wake-ups over NATS: core NATS, no stream. Servers that cannot be reached are tried for ever, and nothing waits for them."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
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

# How long the client is given to notice that it is cancelled. Seconds.
_CANCELLED: Final = 0.1

_log = structlog.get_logger()


class NotEncrypted(nats.errors.Error):
    """A server does not ask for TLS, where its clients do."""

    def __str__(self) -> str:
        return "the server does not speak TLS"


# What is said of a failure, for whoever has to do something about it: the first that fits.
_REASONS: Final[Sequence[tuple[Callable[[Exception], bool], str]]] = (
    (
        lambda error: isinstance(error, NotEncrypted),
        "a server does not speak TLS, and tls:// or --cluster-ca asks for it: it was told nothing. Let it, or write nats://",
    ),
    (
        lambda error: isinstance(error, ssl.SSLCertVerificationError),
        "a server's certificate is not signed by --cluster-ca (without it: by whom this system trusts), or is for another name",
    ),
    (
        lambda error: isinstance(error, ssl.SSLError),
        "TLS with a server fails: it may want a certificate, or speak an old version",
    ),
    (
        lambda error: "authori" in str(error).lower() or "authentication" in str(error).lower(),
        "a server does not accept what it is shown: see --cluster-creds and --cluster-token-file",
    ),
    (lambda error: True, "no server answers, or it hangs up: see --cluster, and the log of the server"),
)


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

    @property
    def needs_tls(self) -> bool:
        """Whether a server that speaks no TLS is none of ours. One `tls://` is enough: servers name others among themselves."""
        return self.ca is not None or any(url.startswith("tls://") for url in self.servers)

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


class _Client(Client):
    """The client of `nats-py`, which speaks TLS if the server asks for it, and else goes on without: so whoever is in between
    had only to say that there is none, to be shown the token."""

    def __init__(self, *, needs_tls: bool) -> None:
        super().__init__()
        self._needs_tls = needs_tls

    def _connect_command(self) -> bytes:
        # Made of the credentials, before anything is said to the server; with `tls_required` the handshake is over by now.
        if self._needs_tls and not self._server_info.get("tls_required"):
            raise NotEncrypted
        return super()._connect_command()


class NatsWakes:
    """`Wakes` over NATS."""

    def __init__(self, access: NatsAccess, name: str) -> None:
        self._options = access.options()
        self._needs_tls = access.needs_tls
        self._complained: set[str] = set()  # since the connection was lost
        self._name = name
        self._listeners: list[tuple[str, Woken]] = []
        self._client: Client | None = None
        self._out: dict[str, None] = {}  # in order, each once
        self._has_news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_lost = False
        self._is_stopping = False

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
        self._is_stopping = True  # to be lost is no news from now on
        pending = set(self._tasks)
        while pending:
            for task in pending:
                task.cancel()
            # More than once: a client that is just closing the connection to a server which refuses it keeps the cancellation
            # to itself, and tries the next server, for ever.
            _, pending = await asyncio.wait(pending, timeout=_CANCELLED)

    async def _stay_connected(self) -> None:
        while True:
            client = _Client(needs_tls=self._needs_tls)
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
        if self._is_stopping or self.is_connected:
            return
        self._is_lost = True
        reason = next(sentence for fits, sentence in _REASONS if fits(error))
        if reason not in self._complained:  # each once: there are several servers, and they are tried for ever
            self._complained.add(reason)
            _log.warning(
                "nats cannot be used: nodes look for news by themselves", reason=reason, error=type(error).__name__
            )

    async def _lost(self) -> None:
        await self._failed(ConnectionError())

    async def _found(self) -> None:
        self._is_lost = False
        self._complained.clear()
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
