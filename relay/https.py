"""The HTTPS server: uvicorn's HTTP/1.1 protocol in the relay's own event loop, TLS 1.3, bounded in connections and time.

uvicorn's `Server` would install signal handlers, wake up ten times a second and exit the process when a port is taken; what
is needed of it here is a listening socket and an orderly end.
"""

import asyncio
import contextlib
import ssl
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h11
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from blindrelay.relay import tls
from blindrelay.relay.desk.problems import PROBLEM_JSON, ProblemKind
from blindrelay.relay.errors import AddressInUse

# A request's head: ours have 200 bytes.
_MAX_HEAD: Final = 8_192
_HANDSHAKE_SECONDS: Final = 5
_BACKLOG: Final = 256


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How many connections are open at once, and how long they may take. Times are in seconds."""

    #: Connections: all, and of one address.
    connections: int = 1_024
    connections_per_address: int = 512
    #: From the connection, or the end of the last answer, to the end of the next request's head.
    head_seconds: float = 10
    #: For what is under way when the relay stops.
    stop_seconds: float = 1


class _Addresses:
    """How many connections there are, and of whom."""

    def __init__(self, limits: ServerLimits) -> None:
        self.limits = limits
        self.open: Counter[str] = Counter()

    def admits(self, address: str) -> bool:
        limits = self.limits
        return self.open.total() < limits.connections and self.open[address] < limits.connections_per_address


class _Protocol(H11Protocol):
    """uvicorn's, with a deadline for the head of a request and a bound on connections: it has neither."""

    def __init__(self, addresses: _Addresses, config: Config, state: ServerState) -> None:
        super().__init__(config, state, {})
        self._addresses = addresses
        self._counted: str | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection, after its TLS handshake."""
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        super().connection_made(transport)
        if not self._addresses.admits(address):
            transport.abort()
            return
        self._addresses.open[address] += 1
        self._counted = address
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """The next request's head may come."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, however it came."""
        super().connection_lost(exc)
        self._stop_watching()
        if self._counted is not None:
            self._addresses.open[self._counted] -= 1
            if not self._addresses.open[self._counted]:
                del self._addresses.open[self._counted]
            self._counted = None

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is told so in the form that everything else has."""
        body = ProblemKind.MALFORMED.problem("this is not HTTP/1.1").model_dump_json().encode()
        headers = [("content-type", PROBLEM_JSON), ("content-length", str(len(body))), ("connection", "close")]
        with contextlib.suppress(h11.LocalProtocolError):  # an answer is under way already
            for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch(self) -> None:
        """While a head is awaited there is a deadline; afterwards the application has its own ones."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._stop_watching()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self._addresses.limits.head_seconds, self._expire)

    def _stop_watching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        self.transport.abort()


class HttpsServer:
    """Listens. `stop` after `start`. `what` it is and which `setting` moves it are for the message when it cannot."""

    def __init__(self, app: ASGIApp, limits: ServerLimits, what: str, setting: str) -> None:
        self._limits = limits
        self._what = what
        self._setting = setting
        self._state = ServerState()
        # At this level uvicorn says nothing: it would write addresses and traces, and the guard has logged what counts.
        self._config = Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            h11_max_incomplete_event_size=_MAX_HEAD,
            timeout_keep_alive=5,
        )
        self._config.load()
        self._server: asyncio.Server

    async def start(self, host: str, port: int, certificate: Path | None = None, key: Path | None = None) -> int:
        """Listen with this certificate, or in plain HTTP without one; return the port, of interest when `port` is 0.

        Raises:
            AddressInUse: the port is taken, or is not ours to take.
            Unreadable: certificate or key cannot be used.
        """
        secure: dict[str, Any] = {}
        if certificate is not None and key is not None:
            context = tls.server_context(certificate, key)
            context.verify_mode = ssl.CERT_NONE  # authorities sign what they send; nothing is known from the connection
            secure = {
                "ssl": context,
                "ssl_handshake_timeout": _HANDSHAKE_SECONDS,
                "ssl_shutdown_timeout": self._limits.stop_seconds,
            }
        addresses = _Addresses(self._limits)
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Protocol(addresses, self._config, self._state),
                host,
                port,
                backlog=_BACKLOG,
                **secure,
            )
        except OSError as error:
            raise AddressInUse(
                f"{self._what} cannot listen on {host}:{port} ({error.strerror}): stop what uses it, or choose another port "
                f"with {self._setting}"
            ) from error
        name: tuple[Any, ...] = self._server.sockets[0].getsockname()
        return int(name[1])

    async def stop(self) -> None:
        """Stop accepting; let answers that are under way finish, for a moment; end the rest."""
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        tasks = set(self._state.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._limits.stop_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for connection in list(self._state.connections):
            connection.transport.abort()
