"""A console that listens, and a relay beside it that can come and go."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from blindrelay.console.desktop import Desktop
from blindrelay.console.rights import Role
from blindrelay.console.server import Place, Serving, serving
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.relay.server import Relay

from . import site


class ConsoleSite:
    """See the module."""

    def __init__(self, found: Serving) -> None:
        self.desktop = found.desktop
        self.url = found.url
        self.link = found.link
        self._relay: contextlib.AsyncExitStack | None = None

    async def start_relay(self, **settings: object) -> Relay:
        """The relay comes."""
        stack = contextlib.AsyncExitStack()
        relay = await stack.enter_async_context(site.relay_in(self.desktop.relay, **settings))
        file = self.desktop.relay / FILE_NAME
        stack.callback(file.unlink)
        endpoint = Endpoint(
            host="127.0.0.1",
            port=relay.port,
            ca_certificate=relay.certificate.name,
            registration_code="registration-code",
            desk_port=relay.desk_port,
            logs_port=relay.logs_port,
        )
        await asyncio.to_thread(endpoint.write, file)
        self._relay = stack
        return relay

    async def stop_relay(self) -> None:
        """The relay goes."""
        if self._relay is not None:
            await self._relay.aclose()
            self._relay = None


@asynccontextmanager
async def console_in(folder: Path, desktop: Desktop | None = None) -> AsyncIterator[ConsoleSite]:
    """A console that is looked at by tests, with a link for every role."""
    async with serving(desktop or Desktop(folder / "relay", roles=tuple(Role)), Place()) as found:
        console = ConsoleSite(found)
        try:
            yield console
        finally:
            await console.stop_relay()
