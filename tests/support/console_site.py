"""A console that listens, and a relay beside it that can come and go."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from blindrelay.cli.own_witness import OwnWitness
from blindrelay.console.cast.lines import Direction, Way
from blindrelay.console.demonstration import Demonstration
from blindrelay.console.desktop import Desktop
from blindrelay.console.rights import Role
from blindrelay.console.server import Place, Serving, serving
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.protocol.transparency import directory
from blindrelay.relay.config import Settings
from blindrelay.relay.server import Relay
from blindrelay.relay.transparency.assembly import FOLDER as LOGS

from . import ports, site

#: How a demonstration's people are directed: they write one message after another, or nothing.
CALM = Direction(paused=False, way=Way.STANDARD, rate=0)
SILENT = Direction(paused=True, way=Way.STANDARD, rate=0)


class RelayBeside:
    """A relay on a port of its own, which leaves its address in its folder while it runs."""

    def __init__(self, folder: Path, door: socket.socket, settings: dict[str, object]) -> None:
        self.folder = folder
        self._door = door
        self._settings = settings
        self._running = contextlib.AsyncExitStack()

    async def start(self) -> Relay:
        """It comes."""
        relay = await self._running.enter_async_context(site.relay_in(self.folder, door=self._door, **self._settings))
        file = self.folder / FILE_NAME
        self._running.callback(file.unlink)
        endpoint = Endpoint(
            host="127.0.0.1",
            port=relay.port,
            ca_certificate=relay.certificate.name,
            registration_code="registration-code",
            desk_port=relay.desk_port,
            logs_port=relay.logs_port,
            operations=f"http://127.0.0.1:{relay.operations_port}",
            directory_policy=f"{LOGS}/{directory.NAME}.policy",
        )
        await asyncio.to_thread(endpoint.write, file)
        return relay

    async def ensure(self) -> None:
        """It comes, unless it is there: a test that failed may have left it away."""
        if not (self.folder / FILE_NAME).exists():
            await self.start()

    async def stop(self) -> None:
        """It goes, if it is there."""
        running, self._running = self._running, contextlib.AsyncExitStack()
        await running.aclose()


@dataclass(frozen=True)
class ConsoleSite:
    """Both."""

    serving: Serving
    relay: RelayBeside

    @property
    def url(self) -> str:
        """Where the console is."""
        return self.serving.url

    @property
    def desktop(self) -> Desktop:
        """The console's own things."""
        return self.serving.desktop

    def link(self, role: Role) -> str:
        """A sign-in link."""
        return self.serving.link(role)


@asynccontextmanager
async def console_in(folder: Path, **settings: object) -> AsyncIterator[ConsoleSite]:
    """A console with a link for every role, for a relay that is not there yet. `settings`: of that relay."""
    with ports.held_port() as door:
        relay = RelayBeside(folder / "relay", door, settings)
        async with serving(Desktop(relay.folder, roles=tuple(Role)), Place()) as found:
            yield ConsoleSite(found, relay)
            await relay.stop()


@asynccontextmanager
async def demonstration_in(folder: Path, beat: float) -> AsyncIterator[ConsoleSite]:
    """A console with people, a court, a desk and a witness, as `blindrelay demo --open` has them.

    Args:
        beat: how long one looks at a thing. Seconds.
    """
    home = folder / "relay"
    home.mkdir(mode=0o700)
    settings = Settings.model_validate({"data_dir": home, "desk": {"enabled": True, "https_port": 0}})
    async with OwnWitness(folder / "witness").attend(settings) as witnessed:
        with ports.held_port() as door:
            relay = RelayBeside(home, door, {"desk": witnessed.desk, "logs": witnessed.logs})
            await relay.start()
            desktop = Desktop(
                relay.folder,
                roles=tuple(Role),
                stage=lambda desktop: Demonstration(folder / "authorities", desktop, ["--beat", str(beat)]),
            )
            async with serving(desktop, Place()) as found:
                yield ConsoleSite(found, relay)
            await relay.stop()


async def direct(console: ConsoleSite, direction: Direction) -> None:
    """Tell the people of a demonstration what is to be different."""
    assert console.desktop.demonstration is not None
    await console.desktop.demonstration.cast.direct(direction)
