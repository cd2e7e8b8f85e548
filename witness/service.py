"""The process: a witness that listens."""

import asyncio
import contextlib
import ssl
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from blindrelay.protocol.clock import Clock, SystemClock
from blindrelay.protocol.transparency.keys import VerifierKey
from blindrelay.witness.application import Report, WitnessApplication
from blindrelay.witness.cosigning import Cosigner
from blindrelay.witness.errors import AddressInUse, Unreadable
from blindrelay.witness.folder import Folder

#: A witness is asked by a few logs, every few seconds, and now and then by an auditor.
MAX_CONNECTIONS: Final = 64
#: For the head of a request, from the connection or the last answer on.
HEAD_SECONDS: Final = 10.0
#: For answers that are under way when it stops.
STOP_SECONDS: Final = 2.0
_MAX_HEAD: Final = 8_192


def _say_nothing(_what: str, _of: Mapping[str, object]) -> None:
    """Where nobody asks."""


class Witness:
    """A witness in `folder`, which is made if it is not there. An async context manager, or `start` and then `stop`.

    Args:
        folder: what it keeps, for it alone.
        logs: verifier keys of logs that it is to know; they are remembered.
        name: of its key, when that is made; `localhost/witness` by default.
        clock: what time a cosignature says.
        host: the address to listen on; loopback by default.
        port: 0 takes a free one.
        tls: certificate chain and private key (PEM), for HTTPS. HTTP without.
        report: told what becomes of each submission.
    """

    def __init__(  # noqa: PLR0913 - keywords of the one object that there is
        self,
        folder: Path,
        logs: Iterable[VerifierKey] = (),
        *,
        name: str | None = None,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: tuple[Path, Path] | None = None,
        report: Report = _say_nothing,
    ) -> None:
        self._path = folder
        self._logs = tuple(logs)
        self._name = name
        self._clock = clock or SystemClock()
        self._host = host
        self._port = port
        self._tls = tls
        self._report = report
        self._held = contextlib.AsyncExitStack()
        self._folder: Folder

    async def start(self) -> None:
        """Listen. When this returns, it answers at `url`.

        Raises:
            FolderInUse: another process runs a witness on the folder.
            Unreadable: something in the folder, or the certificate, cannot be used.
            Malformed: the name or a log's key cannot be used.
            AddressInUse: the port is taken, or is not ours to take.
        """
        async with contextlib.AsyncExitStack() as held:
            self._folder = held.enter_context(Folder.open(self._path, self._name, self._clock))
            for key in self._logs:
                self._folder.add_log(key, self._clock)
            # Of one thread, which is done with its last submission before anybody else may have the folder.
            executor = held.enter_context(ThreadPoolExecutor(1, "witness"))
            cosigner = Cosigner(self._folder, self._clock)
            application = WitnessApplication(self._folder, cosigner, executor, self._report)
            await self._listen(held, application)
            self._held = held.pop_all()

    async def stop(self) -> None:
        """Stop listening, finish what is under way, give the folder back. Does nothing before `start`."""
        await self._held.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def key(self) -> VerifierKey:
        """What its cosignatures are verified with: the newest, where it has several."""
        return self._folder.keys[-1].verifier

    @property
    def folder(self) -> Folder:
        """What it keeps."""
        return self._folder

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def url(self) -> str:
        """The prefix of every address that it answers at."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    async def _listen(self, held: contextlib.AsyncExitStack, application: WitnessApplication) -> None:
        state = ServerState()
        config = _configuration(application)
        try:
            server = await asyncio.get_running_loop().create_server(
                lambda: _Protocol(config, state, {}),
                self._host,
                self._port,
                ssl=_server_context(*self._tls) if self._tls else None,
                ssl_handshake_timeout=HEAD_SECONDS if self._tls else None,
            )
        except OSError as error:
            raise AddressInUse(
                f"the witness cannot listen on {self._host}:{self._port} ({error.strerror}): stop what uses it, or choose "
                "another port with --port"
            ) from error
        name: tuple[Any, ...] = server.sockets[0].getsockname()
        self._port = int(name[1])
        held.push_async_callback(_close, server, state)


class _Protocol(H11Protocol):
    """uvicorn's, with a bound on connections and a deadline for the head of a request: it has neither."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._watch()

    def _watch(self) -> None:
        waiting = self.conn.their_state is h11.IDLE and not self.transport.is_closing()
        if waiting and self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)
        elif not waiting and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _configuration(application: WitnessApplication) -> Config:
    # At this level uvicorn says nothing: it would write down who asks.
    config = Config(
        application.asgi(),
        http=_Protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=_MAX_HEAD,
        timeout_keep_alive=5,
    )
    config.load()
    return config


def _server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        raise Unreadable(
            f"{certificate} and {key} cannot be used as certificate and key (PEM): {error.strerror or error}"
        ) from error
    return context


async def _close(server: asyncio.Server, state: ServerState) -> None:
    server.close()
    for connection in list(state.connections):
        connection.shutdown()
    if state.tasks:
        _, late = await asyncio.wait(set(state.tasks), timeout=STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    for connection in list(state.connections):
        connection.transport.abort()
