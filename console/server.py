"""Serving the console: on the loopback unless asked for, and ending at once though streams are open."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import uvicorn

from blindrelay.console.application import application, sign_in_path
from blindrelay.console.desktop import Desktop
from blindrelay.console.errors import AddressInUse, NotPrivate
from blindrelay.console.rights import Role

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
# Streams are told to end; what has not ended then is cut. Seconds.
_GRACE: Final = 2
_LOOK: Final = 0.01


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen.

    Attributes:
        port: 0 takes a free one.
        names: other host names under which it may be asked for.
        certificate, key: for HTTPS; without them it is only for this machine.
    """

    host: str = "127.0.0.1"
    port: int = 0
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None

    @property
    def scheme(self) -> str:
        """Under which it is reached."""
        return "http" if self.certificate is None else "https"

    @property
    def hosts(self) -> list[str]:
        """Under which names it may be asked for."""
        return list(dict.fromkeys([*LOOPBACK, *([] if _is_any(self.host) else [self.host]), *self.names]))

    def check(self) -> None:
        """Raise `NotPrivate` where others could read along."""
        if self.certificate is None and not _is_loopback(self.host):
            raise NotPrivate(
                f"{self.host} can be reached from elsewhere, and everything would go over the line in the clear: add "
                "--certificate and --key, or use 127.0.0.1 and a tunnel (ssh -L)"
            )


@dataclass(frozen=True, slots=True)
class Serving:
    """A console that listens."""

    url: str
    desktop: Desktop

    def link(self, role: Role) -> str:
        """A link that signs somebody in, once."""
        return self.url + sign_in_path(self.desktop.sessions.link(role))


@asynccontextmanager
async def serving(desktop: Desktop, place: Place) -> AsyncIterator[Serving]:
    """A console, for as long as this is entered.

    Raises:
        AddressInUse: the port is taken.
        NotPrivate: see `Place.check`.
    """
    place.check()
    door = _listen(place)
    port = door.getsockname()[1]
    app = application(desktop, scheme=place.scheme, hosts=place.hosts)
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="critical",  # it would write addresses and traces
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        ssl_certfile=place.certificate,
        ssl_keyfile=place.key,
    )
    server = _Server(config)
    async with desktop.at_work():
        task = asyncio.create_task(server.serve(sockets=[door]))
        try:
            while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells nobody
                await asyncio.sleep(_LOOK)
            shown = "127.0.0.1" if _is_any(place.host) else place.host
            shown = f"[{shown}]" if ":" in shown else shown
            yield Serving(f"{place.scheme}://{shown}:{port}", desktop)
        finally:
            desktop.channels.close()
            server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await task
            door.close()


class _Server(uvicorn.Server):
    """One that leaves signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(place: Place) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    try:
        return socket.create_server((place.host, place.port), family=family, backlog=128)
    except OSError as error:
        raise AddressInUse(
            f"the console cannot listen on {place.host}:{place.port} ({error.strerror}): stop what uses it, or choose another "
            "port with --port"
        ) from error


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_any(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False
